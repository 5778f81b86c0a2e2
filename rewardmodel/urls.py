from django.urls import URLPattern

app_name = "rewardmodel"
urlpatterns: list[URLPattern] = []

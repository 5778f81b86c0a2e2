from django.urls import URLPattern

app_name = "activelearning"
urlpatterns: list[URLPattern] = []

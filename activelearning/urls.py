from django.urls import path

from activelearning import views

app_name = "activelearning"
urlpatterns = [
    path("p/<slug:slug>/next/", views.batches, name="batches"),
    path("p/<slug:slug>/next/select/", views.select, name="select"),
    path("p/<slug:slug>/next/policy/", views.set_policy, name="set_policy"),
    path("p/<slug:slug>/next/<int:number>/", views.batch, name="batch"),
]

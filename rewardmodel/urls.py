from django.urls import path

from rewardmodel import views

app_name = "rewardmodel"
urlpatterns = [
    path("p/<slug:slug>/models/", views.runs, name="runs"),
    path("p/<slug:slug>/models/train", views.train, name="train"),
    path("p/<slug:slug>/models/roll-back", views.roll_back, name="roll_back"),
    path("p/<slug:slug>/models/<int:number>/", views.run, name="run"),
    path("p/<slug:slug>/models/<int:number>/metrics.json", views.metrics, name="metrics"),
    path("p/<slug:slug>/models/<int:number>/cancel", views.cancel, name="cancel"),
    path("p/<slug:slug>/models/<int:number>/promote", views.promote, name="promote"),
]

from django.urls import path

from rewardmodel import api
from rewardmodel.views import handover as handover_views
from rewardmodel.views import leaderboard as leaderboard_views
from rewardmodel.views import registry as registry_views
from rewardmodel.views import runs as views

app_name = "rewardmodel"
urlpatterns = [
    path("p/<slug:slug>/leaderboard/", leaderboard_views.leaderboard, name="leaderboard"),
    path("p/<slug:slug>/leaderboard.json", leaderboard_views.as_json, name="leaderboard_json"),
    path("p/<slug:slug>/leaderboard.csv", leaderboard_views.as_csv, name="leaderboard_csv"),
    path("p/<slug:slug>/api/score", api.score, name="api_score"),
    path("p/<slug:slug>/models/", views.runs, name="runs"),
    path("p/<slug:slug>/models/compare", registry_views.compare, name="compare"),
    path("p/<slug:slug>/models/train", views.train, name="train"),
    path("p/<slug:slug>/models/roll-back", views.roll_back, name="roll_back"),
    path("p/<slug:slug>/models/<int:number>/", views.run, name="run"),
    path("p/<slug:slug>/models/<int:number>/metrics.json", views.metrics, name="metrics"),
    path("p/<slug:slug>/models/<int:number>/card/", registry_views.card, name="card"),
    path("p/<slug:slug>/models/<int:number>/MODEL_CARD.md", registry_views.card_file, name="card_file"),
    path("p/<slug:slug>/models/<int:number>/cancel", views.cancel, name="cancel"),
    path("p/<slug:slug>/models/<int:number>/promote", views.promote, name="promote"),
    path("p/<slug:slug>/models/<int:number>/handover", handover_views.hand_over, name="hand_over"),
    path("p/<slug:slug>/models/<int:number>/handover.zip", handover_views.download, name="hand_over_zip"),
]

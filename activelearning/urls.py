from django.urls import path

from activelearning import replay_views, survey_views, views

app_name = "activelearning"
urlpatterns = [
    path("p/<slug:slug>/next/", views.batches, name="batches"),
    path("p/<slug:slug>/next/select/", views.select, name="select"),
    path("p/<slug:slug>/next/policy/", views.set_policy, name="set_policy"),
    path("p/<slug:slug>/next/coverage/", survey_views.coverage, name="coverage"),
    path("p/<slug:slug>/next/coverage.csv", survey_views.coverage_csv, name="coverage_csv"),
    path("p/<slug:slug>/next/curve/", survey_views.curve, name="curve"),
    path("p/<slug:slug>/next/curve.csv", survey_views.curve_csv, name="curve_csv"),
    path("p/<slug:slug>/next/replays/", replay_views.replays, name="replays"),
    path("p/<slug:slug>/next/replays/start/", replay_views.start, name="start_replay"),
    path("p/<slug:slug>/next/replays/<int:replay_id>/", replay_views.replay, name="replay"),
    path("p/<slug:slug>/next/replays/<int:replay_id>.csv", replay_views.replay_csv, name="replay_csv"),
    path("p/<slug:slug>/next/<int:number>/", views.batch, name="batch"),
]

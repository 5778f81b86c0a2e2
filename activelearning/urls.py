from django.urls import path

from activelearning import survey_views, views

app_name = "activelearning"
urlpatterns = [
    path("p/<slug:slug>/next/", views.batches, name="batches"),
    path("p/<slug:slug>/next/select/", views.select, name="select"),
    path("p/<slug:slug>/next/policy/", views.set_policy, name="set_policy"),
    path("p/<slug:slug>/next/coverage/", survey_views.coverage, name="coverage"),
    path("p/<slug:slug>/next/coverage.csv", survey_views.coverage_csv, name="coverage_csv"),
    path("p/<slug:slug>/next/curve/", survey_views.curve, name="curve"),
    path("p/<slug:slug>/next/curve.csv", survey_views.curve_csv, name="curve_csv"),
    path("p/<slug:slug>/next/<int:number>/", views.batch, name="batch"),
]

from django.urls import path

from annotation.views import annotate, data, drafts, home, monitor

app_name = "annotation"
urlpatterns = [
    path("", home.home, name="home"),
    path("p/<slug:slug>/judge/", annotate.judge, name="judge"),
    path("p/<slug:slug>/judge/draft/", drafts.draft, name="draft"),
    path("p/<slug:slug>/judge/<int:assignment_id>/", annotate.judge_again, name="judge_again"),
    path("p/<slug:slug>/judge/skip/", annotate.skip, name="skip"),
    path("p/<slug:slug>/judge/flag/", annotate.flag, name="flag"),
    path("p/<slug:slug>/judge/undo/", annotate.undo, name="undo"),
    path("p/<slug:slug>/guidelines/", annotate.guidelines, name="guidelines"),
    path("p/<slug:slug>/monitor/", monitor.monitor, name="monitor"),
    path("p/<slug:slug>/monitor/<slug:table>.csv", monitor.download, name="monitor_csv"),
    path("p/<slug:slug>/items/<int:item_id>/", monitor.item, name="item"),
    path("p/<slug:slug>/data/", data.overview, name="data"),
    path("p/<slug:slug>/data/import/", data.import_items, name="import_items"),
    path("p/<slug:slug>/data/snapshots/", data.take_snapshot, name="take_snapshot"),
    path("p/<slug:slug>/data/snapshots/<int:number>/", data.snapshot, name="snapshot"),
    path("p/<slug:slug>/data/snapshots/<int:number>/<slug:format>/", data.export, name="export"),
]

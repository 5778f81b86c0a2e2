"""The model pages: who sees them, what they say, what their buttons do."""

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from annotation.services import heartbeat
from rewardmodel import selectors
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.pages import charts
from rewardmodel.pages import runs as presentation
from rewardmodel.services import leasing, promoting, sending
from tests import factories
from tests.annotation.ordering import item_of, vote
from tests.cast import browser, make_cast
from tests.rewardmodel.fake_trainer import METRICS
from tests.rewardmodel.test_findings import examined, row
from tests.rewardmodel.worlds import run_folder

State = TrainingRun.State
pytestmark = pytest.mark.django_db
FULL_METRICS = {
    **METRICS,
    "lift_over_length": {"value": 0.06, "low": 0.01, "high": 0.11, "n": 120},
    "reliability": [
        {"predicted": 0.2, "observed": 0.25, "n": 60},
        {"predicted": 0.8, "observed": 0.7, "n": 60},
    ],
    "intervals": {"nll": {"value": 0.9, "low": 0.8, "high": 1.0, "n": 150}, "method": "percentile bootstrap"},
    "ceiling": {"one_voter_against_the_others": {"value": 0.78, "low": 0.7, "high": 0.85, "n": 90}},
    "evaluation": "held-out test split of 12 prompts",
    "evaluated": {"pairs": 150, "prompts": 12, "votes": 460},
    "left_out": [{"reason": "judgments on gold items", "count": 31}],
}
CURVE = [{"step": i, "train": 1 / (i + 1), "validation": 1 / (i + 1) + 0.1} for i in range(30)]


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    ids = []
    monkeypatch.setattr(sending, "wake_trainer", lambda run_id: ids.append(run_id) or True)
    return ids


def url(name, project, *rest):
    return reverse(f"rewardmodel:{name}", args=[project.slug, *rest])


def trained(project, **fields):
    now = timezone.now()
    run = factories.run(
        project, metrics=FULL_METRICS, progress={"phase": "done", "curve": CURVE}, started_at=now,
        finished_at=now, **fields,
    )  # fmt: skip
    (run_folder(run) / "ensemble").mkdir(parents=True, exist_ok=True)
    (run_folder(run) / "ensemble" / "ensemble.json").write_text("{}")
    return run


def votes(project, pairs):
    person = factories.user()
    for _ in range(pairs):
        factories.judgment(factories.pair_item(project), person)


ROUTES = [
    ("get", "runs", ()),
    ("get", "run", (1,)),
    ("get", "metrics", (1,)),
    ("post", "train", ()),
    ("post", "cancel", (1,)),
    ("post", "promote", (1,)),
    ("post", "roll_back", ()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name", "rest"), ROUTES)
def test_builders_only_and_others_find_nothing(cast, method, name, rest):
    trained(cast.project)
    target = url(name, cast.project, *rest)
    for user in (cast.engineer, cast.manager, cast.admin):
        assert getattr(browser(user), method)(target).status_code in (200, 302)
    for user in (cast.annotator, cast.reviewer, cast.outsider):
        assert getattr(browser(user), method)(target).status_code == 404
    answer = getattr(browser(), method)(target)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("accounts:sign_in"))
    if method == "post":
        assert browser(cast.engineer).get(target).status_code == 405


def test_a_run_of_another_project_is_not_there(cast):
    trained(cast.other_project)
    assert browser(cast.engineer).get(url("run", cast.project, 1)).status_code == 404


def test_the_list_shows_accuracy_beside_the_baselines_at_a_fixed_price(cast, django_assert_num_queries):
    for _ in range(3):
        trained(cast.project)
    promoting.promote(run=TrainingRun.objects.get(number=2), actor=cast.engineer)
    client = browser(cast.engineer)
    with django_assert_num_queries(15):
        page = client.get(url("runs", cast.project)).content.decode()
    assert "0.710 (0.620 to 0.800)" in page
    assert "0.650" in page
    assert "Run 2 scores now" in page
    for _ in range(3):
        trained(cast.project)
    with django_assert_num_queries(15):
        client.get(url("runs", cast.project))


def test_intervals_are_in_the_language_of_the_page(cast):
    run = trained(cast.project)
    with translation.override("de"):
        assert presentation.listed(run).accuracy == "0,710 (0,620 bis 0,800)"
        assert presentation.report(run).accuracy.rows[0].text == "0,710 (0,620 bis 0,800)"


@pytest.mark.slow
def test_the_list_says_what_is_missing(cast):
    client = browser(cast.engineer)
    page = client.get(url("runs", cast.project)).content.decode()
    assert "No training worker is running." in page
    assert "too few votes" in page
    assert "So far 0 pairs of 0 prompts are judged" in page
    assert "disabled" in page
    votes(cast.project, 20)
    heartbeat.beat(name="t", queue="training", pid=1, host="h", started_at=timezone.now())
    page = client.get(url("runs", cast.project)).content.decode()
    assert "No training worker" not in page
    assert "too few votes" not in page


def test_a_ranking_of_four_is_six_pairs(cast):
    cast.project.kind = "ranking"
    cast.project.save()
    for _ in range(4):
        item = item_of(cast.project, 4)
        for name in ("ann", "ben"):
            vote(item, [1, 2, 3, 4], factories.user(f"{name}-{item.pk}"))
    item_of(cast.project, 4)  # nobody has judged it
    found = selectors.readiness(cast.project)
    assert (found.pairs, found.prompts, found.votes) == (24, 4, 8)
    assert found.enough


@pytest.mark.slow
def test_two_presses_of_train_are_one_run(cast, sent, django_capture_on_commit_callbacks):
    votes(cast.project, 3)
    client = browser(cast.engineer)
    with django_capture_on_commit_callbacks(execute=True):
        first = client.post(url("train", cast.project))
        second = client.post(url("train", cast.project), follow=True)
    run = TrainingRun.objects.get()
    assert first["Location"] == url("run", cast.project, 1)
    assert "Run 1 is already queued" in second.content.decode()
    assert sent == [run.pk]
    assert run.created_by == cast.engineer


def test_train_without_votes_says_so(cast):
    page = browser(cast.engineer).post(url("train", cast.project), follow=True).content.decode()
    assert "no judgments yet" in page
    assert not TrainingRun.objects.exists()


def test_a_report_has_its_numbers_charts_and_what_was_left_out(cast, django_assert_num_queries):
    run = trained(cast.project, verdict="Promoted: it is <b>better</b>.")
    (run_folder(run) / "log.txt").write_text("a warning <script>alert(1)</script>\n")
    client = browser(cast.engineer)
    with django_assert_num_queries(6):
        page = client.get(url("run", cast.project, 1)).content.decode()
    for words in (
        "0.620 to 0.800, 120 pairs", "+6.0", "length alone", "one voter against the others",
        "Reliability diagram", "predicted 0.200, observed 0.250, pairs: 60", "Loss by step",
        "judgments on gold items", "150 pairs, 12 prompts, 460 votes", "held-out test split of 12 prompts",
        "Promoted: it is &lt;b&gt;better&lt;/b&gt;.", "&lt;script&gt;alert(1)",
    ):  # fmt: skip
        assert words in page, words
    assert "<script>alert" not in page
    assert "style=" not in page


def test_the_closer_look_is_on_the_page_and_an_older_run_says_what_it_lacks(cast):
    run, client = trained(cast.project), browser(cast.engineer)
    page = client.get(url("run", cast.project, 1)).content.decode()
    assert "Better than length?" in page
    assert "Where it is right" not in page
    run.metrics = {**FULL_METRICS, **examined()}
    run.metrics["strata"]["category"] = {"rows": [row("<b>law</b>", 0.5, 30)], "left_out": None}
    run.save()
    page = client.get(url("run", cast.project, 1)).content.decode()
    for words in ("Weakest where?", "repetition", "Risk and coverage", "everything said twice", "2.40",
                  "&lt;b&gt;law&lt;/b&gt;", "Accuracy by votes", "praise of the reader"):  # fmt: skip
        assert words in page, words
    assert "<b>law" not in page
    assert "style=" not in page
    run.metrics = METRICS
    run.save()
    assert "trained by an earlier version" in client.get(url("run", cast.project, 1)).content.decode()


def test_a_running_run_polls_until_it_is_over(cast):
    run = factories.run(cast.project, state=State.QUEUED)
    client, address = browser(cast.engineer), url("run", cast.project, 1)
    page = client.get(address).content.decode()
    assert "Waiting for a training worker" in page
    assert "No training worker is running." in page
    assert "Cancel run 1" in page
    lease = leasing.claim(run.pk)
    progress = {"phase": "training", "done": 7, "total": 20, "message": "Step 7", "curve": CURVE}
    leasing.renew(lease, progress)
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert 'hx-trigger="every 2s"' in part
    assert f'hx-get="{address}"' in part
    assert '<progress value="7" max="20"' in part
    assert "Step 7" in part
    assert "<polyline" in part
    assert 'href="' + address in part  # without JavaScript: a link that looks again
    leasing.finish(lease, state=State.FAILED, reason="The disk is full.")
    assert client.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    page = client.get(address).content.decode()
    assert "The disk is full." in page
    assert "hx-trigger" not in page


@pytest.mark.slow
def test_cancel_promote_and_roll_back_by_button(cast):
    client = browser(cast.engineer)
    waiting = factories.run(cast.project, state=State.QUEUED)
    client.post(url("cancel", cast.project, 1))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (State.CANCELLED, "Cancelled by engineer.")
    for number in (2, 3):
        trained(cast.project)
        client.post(url("promote", cast.project, number))
    active = Ensemble.objects.get(active=True)
    assert (active.run.number, active.promoted_by) == (3, cast.engineer)
    assert "Roll back to run 2" in client.get(url("run", cast.project, 3)).content.decode()
    client.post(url("roll_back", cast.project))
    assert Ensemble.objects.get(active=True).run.number == 2
    assert "no earlier ensemble" in client.post(url("roll_back", cast.project), follow=True).content.decode()
    assert "has cancelled" in client.post(url("promote", cast.project, 1), follow=True).content.decode()


def test_buttons_need_a_csrf_token(cast):
    trained(cast.project)
    for name, rest in (("train", ()), ("promote", (1,)), ("cancel", (1,)), ("roll_back", ())):
        assert browser(cast.engineer, csrf=True).post(url(name, cast.project, *rest)).status_code == 403


def test_the_report_downloads_as_json(cast):
    trained(cast.project)
    answer = browser(cast.engineer).get(url("metrics", cast.project, 1))
    assert answer.json()["metrics"] == FULL_METRICS
    assert "attachment" in answer["Content-Disposition"]


def test_metrics_of_ties_alone_can_be_shown(cast):
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    run = trained(cast.project)
    run.metrics = {**METRICS, "accuracy": nothing, "baselines": {"length": nothing, "majority": nothing}}
    run.save()
    client = browser(cast.engineer)
    assert "no accuracy" in client.get(url("run", cast.project, 1)).content.decode()
    assert client.get(url("runs", cast.project)).status_code == 200


def test_charts_put_numbers_where_they_belong():
    plot = charts.learning_curve(CURVE, ("training", "validation"))
    xs = [float(point.split(",")[0]) for point in plot.lines[0].points.split()]
    ys = [float(point.split(",")[1]) for point in plot.lines[0].points.split()]
    assert xs == sorted(xs)
    assert ys == sorted(ys)  # a falling loss goes down the page
    assert plot.left == xs[0]
    assert plot.right == pytest.approx(xs[-1], abs=0.1)
    assert charts.learning_curve(CURVE[:1], ("training", "validation")) is None
    rows = charts.whiskers(
        [("a", 1, {"value": 0.8, "low": 0.7, "high": 0.9}), ("b", 2, {"value": None})]
    ).rows
    assert len(rows) == 1
    assert rows[0].low < rows[0].value < rows[0].high
    square = charts.reliability([{"predicted": 0.5, "observed": 1.0, "n": 4}])
    assert (square.dots[0].x, square.dots[0].y) == (square.offset + square.side / 2, 12.0)
    with translation.override("de"):
        (dot,) = charts.reliability([{"predicted": 0.5, "observed": 1.0, "n": 4000}]).dots
    assert dot.title == "vorhergesagt 0,500, beobachtet 1,000, Paare: 4.000"

"""Runs side by side, and the history of what has scored."""

import pytest
from django.urls import reverse

from annotation.models.project import Project
from rewardmodel.models import TrainingRun
from rewardmodel.pages import comparison as comparison_page
from rewardmodel.services import gating, promoting
from tests import factories
from tests.cast import browser, make_cast
from tests.rewardmodel.test_runs_gate import METRICS, trained, world

pytestmark = pytest.mark.django_db
CURVE = [{"step": i, "train": 1 / (i + 1), "validation": 1 / (i + 1) + 0.1} for i in range(5)]


@pytest.fixture
def cast():
    return make_cast()


def three(project: Project) -> list[TrainingRun]:
    """The second predicts far worse than the first, the third hardly otherwise."""
    d, shares, prompt, rng = world()
    noise = (0.0, 2.0, 0.01)
    runs = [trained(project, d + rng.normal(scale=one, size=len(d)), shares, prompt) for one in noise]
    for run, heads in zip(runs, (8, 16, 8), strict=True):
        run.config = {"criterion": "overall", "heads": heads}
        run.progress = {"curve": CURVE}
        run.save()
    return runs


def compared(client, project, *numbers):
    return client.get(reverse("rewardmodel:compare", args=[project.slug]), {"run": numbers}, follow=True)


def test_only_what_differs_is_listed_and_the_paired_difference_is_judged(cast):
    found = comparison_page.page_of(three(cast.project))
    assert [(line.label, line.values) for line in found.settings] == [("heads", ("8", "16", "8"))]
    assert found.same == 2
    worse, like = found.differences
    assert (worse.verdict, like.verdict) == ("worse", "no difference beyond chance")
    assert worse.accuracy.startswith("−")
    assert like.found.pairs == 600
    assert len(found.curves.lines) == 3


def test_the_page_stands_without_metrics_or_predictions(cast):
    bare = [factories.run(cast.project), factories.run(cast.project, metrics=METRICS, state="failed")]
    page = compared(browser(cast.engineer), cast.project, *[run.number for run in bare])
    assert "cannot be compared" in page.content.decode()
    told = factories.run(cast.project, metrics=METRICS)
    found = comparison_page.page_of([bare[1], told])
    assert "too few common pairs" in found.differences[0].verdict


@pytest.mark.slow
def test_runs_are_ticked_on_the_list_and_too_few_lead_back_to_it(cast):
    runs = three(cast.project)
    client = browser(cast.engineer)
    listed = client.get(reverse("rewardmodel:runs", args=[cast.project.slug])).content.decode()
    assert listed.count('type="checkbox" name="run"') == 3
    page = compared(client, cast.project, *[run.number for run in runs])
    assert page.status_code == 200
    assert "Settings that differ" in page.content.decode()
    for numbers in ((), (1,), (1, 1), ("x", 1), (1, 2, 3, 4, 5)):
        assert "Choose two to 4 runs" in compared(client, cast.project, *numbers).content.decode()
    assert compared(client, cast.project, 1, 99).status_code == 404


def test_the_list_tells_what_has_scored_by_whom_and_why(cast):
    first, worse, like = three(cast.project)
    for run in (first, worse, like):
        gating.promote_if_not_worse(run)
    promoting.promote(run=worse, actor=cast.manager, reason="I like it better.")
    promoting.roll_back(project=cast.project, actor=cast.engineer)
    page = browser(cast.engineer).get(reverse("rewardmodel:runs", args=[cast.project.slug]))
    told = page.context["promotions"]
    assert [(one.run, one.before, one.back) for one in told] == [
        (3, 2, True), (2, 3, False), (3, 1, False), (1, None, False),
    ]  # fmt: skip
    assert [one.actor for one in told] == [cast.engineer, cast.manager, None, None]
    assert [one.by_gate for one in told] == [False, False, True, True]
    assert told[1].verdict.startswith("Run 1 stays")
    text = page.content.decode()
    assert "I like it better." in text
    assert "Back from run 2 to run 3" in text

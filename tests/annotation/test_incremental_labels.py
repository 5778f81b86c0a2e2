"""Labels made one by one as votes come and go are those made all at once, whatever the method."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from django.utils import timezone

from accounts.models import User
from annotation.aggregation.competence import competence
from annotation.answering.answer import Answer as Given
from annotation.models.project import Project
from annotation.models.quality import AggregationFit, ChangedItem, QualityReport, SoftLabel
from annotation.models.standing import Standing
from annotation.models.work import Judgment
from annotation.services import aggregating, assigning, fitting
from tests import factories
from tests.annotation.test_aggregating import versions

pytestmark = pytest.mark.django_db

METHODS = ["vote-shares", "competence", "dawid-skene"]
CHOICES = ("a", "b", "tie", "both_bad")

Labels = dict[tuple[int, int, int, str], tuple[float, ...]]


def labels(project: Project) -> Labels:
    return {
        (one.item_id, one.response_a_id, one.response_b_id, one.criterion): (
            one.p_a, one.p_tie, one.p_b, one.votes, one.effective_votes
        )
        for one in SoftLabel.objects.filter(project=project, method=project.aggregation)
    }  # fmt: skip


def agree(found: Labels, expected: Labels) -> bool:
    return found.keys() == expected.keys() and all(
        found[key] == pytest.approx(expected[key], abs=1e-9) for key in expected
    )


def set_apart(project: Project, annotator: User, state: str) -> None:
    """As the service of standings does it."""
    values = {"state": state, "changed_at": timezone.now()}
    Standing.objects.update_or_create(project=project, annotator=annotator, defaults=values)
    aggregating.touch_annotator(project=project, annotator_id=annotator.pk)


def worked_on(method: str, seed: int, *, items: int = 12) -> tuple[Project, list[User], random.Random]:
    rng = random.Random(seed)
    project = factories.project(aggregation=method, overlap=6)
    people = [factories.user() for _ in range(5)]
    for _ in range(items):
        item = factories.pair_item(project)
        for person in rng.sample(people, 3):
            factories.judgment(item, person, rng.choice(CHOICES), display_order=rng.sample([0, 1], 2))
    return project, people, rng


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_after_any_steps_a_refresh_is_a_rebuild(method: str, seed: int) -> None:
    project, people, rng = worked_on(method, seed)
    aggregating.refit(project=project)
    steps: list[Callable[[], object]] = [
        lambda: factories.judgment(factories.pair_item(project), rng.choice(people), rng.choice(CHOICES)),
        lambda: factories.judgment(rng.choice(list(project.items.all())), factories.user(), "a"),
        lambda: take_back(project, rng),
        lambda: set_apart(project, rng.choice(people), rng.choice(["active", "paused", "excluded"])),
    ]
    for _ in range(4):
        for _ in range(3):
            rng.choice(steps)()
        aggregating.refresh(project=project)
        found = labels(project)
        aggregating.rebuild(project=project)
        assert found
        assert agree(found, labels(project))


def take_back(project: Project, rng: random.Random) -> None:
    given = list(Judgment.objects.filter(item__project=project, live=True))
    one = rng.choice(given)
    assigning.skip(assignment_id=one.assignment_id or 0, annotator=one.annotator)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_only_what_changed_is_read_and_written(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _, _ = worked_on(method, 1)
    aggregating.refit(project=project)
    item = project.items.order_by("pk").first()
    assert item is not None
    factories.judgment(item, factories.user(), "a")
    asked = []
    read = fitting.read_votes

    def noted(*args, items=None, **more):
        asked.append(items)
        return read(*args, items=items, **more)

    monkeypatch.setattr(fitting, "read_votes", noted)
    before = versions()
    assert aggregating.refresh(project=project) == 1
    assert asked == [[item.pk]]
    touched = SoftLabel.objects.filter(pk__in=dict(versions() - before))
    assert {label.item_id for label in touched} == {item.pk}
    assert aggregating.refresh(project=project) == 0
    assert not ChangedItem.objects.exists()


@pytest.mark.slow
def test_the_votes_of_somebody_paused_weigh_nothing_until_they_are_restored() -> None:
    project, people, _ = worked_on("vote-shares", 2)
    item = factories.pair_item(project)
    factories.judgment(item, people[0], "a")
    factories.judgment(item, people[1], "b")
    only = factories.pair_item(project)
    factories.judgment(only, people[0], "a")
    aggregating.refresh(project=project)
    before = labels(project)
    set_apart(project, people[0], "paused")
    aggregating.refresh(project=project)
    label = SoftLabel.objects.get(item=item)
    assert (label.p_a, label.p_b, label.votes) == (0.0, 1.0, 1)
    assert not SoftLabel.objects.filter(item=only).exists()
    set_apart(project, people[0], "active")
    aggregating.refresh(project=project)
    assert labels(project) == before


@pytest.mark.slow
def test_somebody_paused_elsewhere_counts_here() -> None:
    project, people, _ = worked_on("vote-shares", 3)
    aggregating.refresh(project=project)
    before = labels(project)
    set_apart(factories.project(), people[0], "excluded")
    aggregating.touch_all(project=project)
    aggregating.refresh(project=project)
    assert labels(project) == before


@pytest.mark.parametrize("weight", [1, 3])
def test_a_reviewers_decision_counts_as_so_many_votes(weight: int) -> None:
    project = factories.project(expert_weight=weight)
    item = factories.pair_item(project)
    for choice in ("a", "a"):
        factories.judgment(item, factories.user(), choice)
    factories.judgment(item, factories.user(), "b", source=Judgment.Source.EXPERT)
    aggregating.refresh(project=project)
    label = SoftLabel.objects.get()
    assert (label.p_a, label.votes) == (pytest.approx(2 / (2 + weight)), 3)
    assert label.effective_votes == pytest.approx((2 + weight) ** 2 / (2 + weight**2))


@pytest.mark.slow
def test_a_method_learns_of_the_votes_of_those_who_count_only() -> None:
    """A crowd of opposite voters that is set apart leaves no trace in what is learned of the others."""
    project, people, rng = worked_on("competence", 4, items=30)
    aggregating.refit(project=project)
    alone = AggregationFit.objects.get().parameters
    crowd = [factories.user() for _ in range(2)]
    for item in project.items.all():
        for one in crowd:
            factories.judgment(item, one, rng.choice(("a", "b")))
    for one in crowd:
        set_apart(project, one, "excluded")
    aggregating.refit(project=project)
    fitted = AggregationFit.objects.get()
    assert fitted.votes == 90
    known = dict(zip(fitted.parameters["annotator"], fitted.parameters["knows"], strict=True))
    expected = dict(zip(alone["annotator"], alone["knows"], strict=True))
    assert {one.pk: known[one.pk] for one in people} == pytest.approx(expected, abs=1e-6)
    assert set(known) == {one.pk for one in (*people, *crowd)}


@pytest.mark.slow
def test_labels_are_those_of_the_pure_method() -> None:
    project, _, _ = worked_on("competence", 5)
    aggregating.refit(project=project)
    given = fitting.read_votes(project, "overall")
    truth = competence(given.votes).truth
    for place, item in enumerate(given.item.tolist()):
        label = SoftLabel.objects.get(item=item)
        np.testing.assert_allclose([label.p_a, label.p_tie, label.p_b], truth[place], atol=1e-9)
        assert 0 < label.effective_votes <= label.votes


@pytest.mark.slow
def test_the_first_tie_of_a_project_is_learned_at_once() -> None:
    project = factories.project(aggregation="competence", overlap=6)
    people = [factories.user() for _ in range(4)]
    for _ in range(6):
        item = factories.pair_item(project)
        for person in people[:3]:
            factories.judgment(item, person, "a")
    aggregating.refit(project=project)
    item = factories.pair_item(project)
    for person in people[:3]:
        factories.judgment(item, person, "tie")
    aggregating.refresh(project=project)
    assert SoftLabel.objects.get(item=item).p_tie > 0.5


@pytest.mark.slow
def test_the_fit_is_made_anew_once_it_has_been_outgrown() -> None:
    project, people, _ = worked_on("dawid-skene", 6)
    aggregating.refit(project=project)
    assert AggregationFit.objects.get().votes == 36
    for added in range(1, 22):
        factories.judgment(factories.pair_item(project), people[0], "b")
        aggregating.refresh(project=project)
        assert AggregationFit.objects.get().votes == (36 if added <= 20 else 57)


@pytest.mark.slow
def test_another_method_makes_every_label_anew() -> None:
    project, _, _ = worked_on("vote-shares", 7)
    aggregating.refresh(project=project)
    for method in ("competence", "dawid-skene", "vote-shares"):
        project.aggregation = method
        project.save()
        aggregating.touch_all(project=project)
        aggregating.refresh(project=project)
        assert set(SoftLabel.objects.values_list("method", flat=True)) == {method}
        assert len(labels(project)) == 12


def test_gold_and_repeats_make_no_labels_and_a_report_goes_stale() -> None:
    project = factories.project()
    QualityReport.objects.create(project=project, body={}, seconds=0, computed_at=timezone.now())
    aggregating.refresh(project=project)
    assert not QualityReport.objects.get().stale
    factories.judgment(factories.gold_item(project), factories.user(), "a")
    assert aggregating.refresh(project=project) == 1
    assert QualityReport.objects.get().stale
    assert not SoftLabel.objects.exists()


@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_other_kinds_have_a_label_for_every_pair(kind: str) -> None:
    project = factories.project(kind=kind, aggregation="competence", overlap=4)
    on = factories.prompt(project)
    item = factories.pair_item(project, on=on, pair=factories.responses(on, 3))
    for values in ((1, 2, 3), (1, 3, 2), (1, 1, 2)):
        given = Given("overall", ranks=values) if kind == "ranking" else Given("overall", ratings=values)
        factories.judgment(item, factories.user(), answers=[given], display_order=(2, 0, 1))
    aggregating.refresh(project=project)
    found = labels(project)
    assert len(found) == 3
    aggregating.rebuild(project=project)
    assert agree(found, labels(project))

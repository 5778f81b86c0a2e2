"""Pausing, excluding, restoring: no work and no weight, nothing deleted, every step told."""

import random

import pytest

from accounts.models import AuditEntry, User
from annotation import standing_selectors
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.standing import Message, Standing
from annotation.models.work import Assignment, Judgment
from annotation.services import aggregating, assigning, judging, reviewing, standing
from tests import factories

pytestmark = pytest.mark.django_db

EVIDENCE = [{"kind": "gold", "value": 0.2, "n": 10, "strength": 0.99, "chance": 0.5}]


def people(project: Project) -> tuple[User, User]:
    return factories.user("ada"), factories.user("boss")


def test_somebody_paused_is_handed_nothing_and_what_they_hold_goes_back() -> None:
    project = factories.project(overlap=1)
    ada, boss = people(project)
    items = [factories.pair_item(project) for _ in range(3)]
    work = assigning.hand_out(project=project, annotator=ada)
    assert work.current is not None
    assert work.ahead is not None
    standing.pause(project=project, annotator=ada, actor=boss, reason="Too fast.")
    assert set(Assignment.objects.values_list("state", flat=True)) == {"expired"}
    assert assigning.hand_out(project=project, annotator=ada).current is None
    with pytest.raises(reviewing.CannotClaim):
        reviewing.claim_item(item=items[0], annotator=ada)
    project.items.update(slots_left=0)
    assert assigning.hand_out(project=project, annotator=factories.user()).current is None
    project.items.update(slots_left=1)
    assert assigning.hand_out(project=project, annotator=factories.user()).current is not None


def test_elsewhere_they_work_on() -> None:
    project, other = factories.project(), factories.project()
    ada, boss = people(project)
    factories.pair_item(other)
    standing.exclude(project=project, annotator=ada, actor=boss)
    assert assigning.hand_out(project=other, annotator=ada).current is not None


def test_an_answer_on_its_way_is_kept_and_weighs_nothing() -> None:
    project = factories.project()
    ada, boss = people(project)
    item = factories.pair_item(project)
    held = assigning.claim(project=project, annotator=ada)
    assert held is not None
    standing.pause(project=project, annotator=ada, actor=boss)
    submission = judging.submit(
        assignment_id=held.pk,
        annotator=ada,
        answers=judging.pairwise(project, "a"),
        idempotency_key="late",
        go_on_in=project,
    )
    assert submission.created
    assert submission.work is None
    assert Judgment.objects.get().live
    aggregating.refresh(project=project)
    assert not SoftLabel.objects.filter(item=item).exists()


def test_restored_they_are_where_they_were() -> None:
    project = factories.project()
    ada, boss = people(project)
    item = factories.pair_item(project)
    factories.pair_item(project)
    factories.judgment(item, ada, "a")
    factories.judgment(item, factories.user(), "b")
    aggregating.refresh(project=project)
    before = SoftLabel.objects.get().p_a, SoftLabel.objects.get().votes
    standing.pause(project=project, annotator=ada, actor=None, evidence=EVIDENCE)
    aggregating.refresh(project=project)
    assert (SoftLabel.objects.get().p_a, SoftLabel.objects.get().votes) == (0.0, 1)
    standing.restore(project=project, annotator=ada, actor=boss, reason="A misunderstanding.")
    aggregating.refresh(project=project)
    assert (SoftLabel.objects.get().p_a, SoftLabel.objects.get().votes) == before
    assert assigning.hand_out(project=project, annotator=ada).current is not None
    found = Standing.objects.get()
    assert (found.state, found.evidence, found.automatic) == ("active", [], False)
    assert found.restored_at is not None


def test_every_step_is_told_and_recorded() -> None:
    project = factories.project()
    ada, boss = people(project)
    standing.pause(project=project, annotator=ada, actor=None, evidence=EVIDENCE)
    standing.appeal(project=project, annotator=ada, text=" I was ill. ")
    assert Standing.objects.get().appealed_at is not None
    standing.exclude(project=project, annotator=ada, actor=boss, reason="No.")
    standing.restore(project=project, annotator=ada, actor=boss)
    standing.write(project=project, annotator=ada, author=boss, text="Welcome back")
    assert list(standing_selectors.thread(project, ada).values_list("kind", "author__username", "text")) == [
        ("paused", None, ""),
        ("appeal", "ada", "I was ill."),
        ("excluded", "boss", "No."),
        ("restored", "boss", ""),
        ("note", "boss", "Welcome back"),
    ]
    assert standing_selectors.unread(project, ada) == 4
    standing.mark_read(project=project, annotator=ada)
    assert standing_selectors.unread(project, ada) == 0
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "annotator paused",
        "annotator appeals",
        "annotator excluded",
        "annotator restored",
    ]
    assert AuditEntry.objects.order_by("pk")[0].detail["evidence"] == EVIDENCE


def test_the_same_step_twice_is_one() -> None:
    project = factories.project()
    ada, boss = people(project)
    for _ in range(2):
        standing.pause(project=project, annotator=ada, actor=boss)
    assert Message.objects.count() == 1
    for _ in range(2):
        standing.restore(project=project, annotator=ada, actor=boss)
    assert Message.objects.count() == 2


def test_what_cannot_be_done_is_said() -> None:
    project = factories.project()
    ada, boss = people(project)
    with pytest.raises(standing.CannotChangeStanding, match="not paused"):
        standing.appeal(project=project, annotator=ada, text="Why?")
    with pytest.raises(standing.CannotChangeStanding, match="yourself"):
        standing.pause(project=project, annotator=boss, actor=boss)
    with pytest.raises(standing.CannotChangeStanding, match="Write something"):
        standing.write(project=project, annotator=ada, author=boss, text=" \x00 ")
    with pytest.raises(standing.CannotChangeStanding, match="Shorten"):
        standing.write(project=project, annotator=ada, author=boss, text="x" * 5_001)
    assert not Message.objects.exists()


def test_what_no_database_holds_is_left_out_of_a_reason() -> None:
    project = factories.project()
    ada, boss = people(project)
    standing.pause(project=project, annotator=ada, actor=boss, reason=" too\x00 fast\ud800 ")
    assert Standing.objects.get().reason == Message.objects.get().text == "too fast?"
    with pytest.raises(standing.CannotChangeStanding, match="Shorten"):
        standing.restore(project=project, annotator=ada, actor=boss, reason="x" * 5_001)
    assert Standing.objects.get().state == "paused"
    standing.restore(project=project, annotator=ada, actor=boss, reason="\x00 fine")
    assert Message.objects.last().text == "fine"  # type: ignore[union-attr]


def test_more_gold_for_one_person_only() -> None:
    project = factories.project(gold_rate=0.0, overlap=5)
    ada, _ = people(project)
    for _ in range(6):
        factories.pair_item(project)
        factories.gold_item(project)
    standing.raise_gold(project=project, annotator=ada, rate=1.0, evidence=EVIDENCE)
    rng = random.Random(1)
    theirs = assigning.hand_out(project=project, annotator=ada, rng=rng)
    others = assigning.hand_out(project=project, annotator=factories.user(), rng=rng)
    assert theirs.current is not None
    assert theirs.ahead is not None
    assert theirs.current.item.is_gold
    assert theirs.ahead.item.is_gold
    assert others.current is not None
    assert not others.current.item.is_gold
    assert not Message.objects.exists()
    standing.usual_gold(project=project, annotator=ada)
    assert Standing.objects.get().gold_rate is None

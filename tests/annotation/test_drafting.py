"""Drafts: kept by version, never over something newer, gone with the answer, never back after it."""

import pytest
from django.utils import timezone

from annotation.models.work import Assignment, Draft, Judgment
from annotation.services import assigning, drafting, judging
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.working import let_lease_run_out

pytestmark = pytest.mark.django_db

BODY = {"choice-0": ["a"], "comment": ["half a thought"]}


def held() -> Assignment:
    item = factories.pair_item(factories.project(reasons=["unsafe"]))
    return factories.assignment(item, factories.user())


def save(assignment: Assignment, body=BODY, seen: int = 0, **fields: object) -> Draft:
    return drafting.save(
        assignment_id=assignment.pk, annotator=assignment.annotator, body=body, seen=seen, **fields
    )


def send(assignment: Assignment, choice: str = "a", key: str = "k1", **fields: object) -> Judgment:
    return judging.submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        answers=judging.pairwise(assignment.project, choice),
        idempotency_key=key,
        **fields,
    ).judgment


def test_each_save_is_a_version_and_the_same_again_is_none() -> None:
    mine = held()
    assert save(mine).version == 1
    assert save(mine, BODY, seen=0).version == 1, "a retry whose reply was lost changes nothing"
    second = save(mine, {"choice-0": ["b"]}, seen=1)
    assert (second.version, second.body) == (2, {"choice-0": ["b"]})
    assert Draft.objects.count() == 1


@pytest.mark.parametrize("seen", [0, 1, 3])
def test_what_another_device_saved_is_not_overwritten(seen: int) -> None:
    mine = held()
    save(mine)
    save(mine, {"choice-0": ["b"]}, seen=1)
    with pytest.raises(drafting.StaleDraft) as stale:
        save(mine, {"choice-0": ["tie"]}, seen=seen)
    assert (stale.value.stored.version, stale.value.stored.body) == (2, {"choice-0": ["b"]})
    assert Draft.objects.get().body == {"choice-0": ["b"]}
    assert save(mine, {"choice-0": ["tie"]}, seen=2).version == 3, "having seen it, one may"


@pytest.mark.django_db(transaction=True)
def test_two_devices_at_once_are_one_draft_and_one_refusal() -> None:
    mine = held()

    def write(choice: str) -> str:
        try:
            return f"version {save(mine, {'choice-0': [choice]}).version}"
        except drafting.StaleDraft as stale:
            return f"refused for {stale.stored.version}"

    assert sorted(at_once(write, ["a", "b"])) == ["refused for 1", "version 1"]


def test_typing_renews_the_lease() -> None:
    mine = held()
    let_lease_run_out(mine)
    save(mine)
    mine.refresh_from_db()
    assert mine.lease_expires_at > timezone.now()


def test_a_draft_of_an_expired_hold_is_kept_and_takes_no_slot() -> None:
    mine = held()
    let_lease_run_out(mine)
    assigning.expire_leases()
    save(mine)
    mine.refresh_from_db()
    assert (mine.state, Draft.objects.get().assignment) == ("expired", mine)


def test_the_answer_ends_the_draft_and_a_late_one_does_not_bring_it_back() -> None:
    mine = held()
    save(mine)
    stored = send(mine)
    assert drafting.draft_of(mine) is None
    with pytest.raises(drafting.AlreadyAnswered) as late:  # it was on its way when the answer arrived
        save(mine, {"choice-0": ["b"]}, seen=1)
    assert late.value.stored == stored
    assert drafting.draft_of(mine) is None


def test_who_changes_the_answer_that_stands_keeps_a_draft_of_the_change() -> None:
    mine = held()
    first = send(mine)
    assert save(mine, {"choice-0": ["b"]}, replaces=first.pk).version == 1
    second = send(mine, "b", key="k2", replaces=first.pk)
    assert drafting.draft_of(mine) is None
    with pytest.raises(drafting.AlreadyAnswered):
        save(mine, {"choice-0": ["tie"]}, replaces=first.pk)
    assert save(mine, {"choice-0": ["tie"]}, replaces=second.pk).version == 1


@pytest.mark.parametrize("body", [{"comment": ["x" * 100_001]}, {"comment": ["a\x00b"]}])
def test_what_cannot_be_stored_is_refused(body: dict[str, list[str]]) -> None:
    with pytest.raises(drafting.InvalidDraft):
        save(held(), body)
    assert not Draft.objects.exists()


def test_nobody_writes_the_draft_of_another() -> None:
    mine = held()
    with pytest.raises(Assignment.DoesNotExist):
        drafting.save(assignment_id=mine.pk, annotator=factories.user(), body=BODY, seen=0)

"""Blind review: votes stay hidden from whoever may still judge an item, or change what they answered."""

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from annotation import blind_selectors
from annotation.answering.answer import Answer, InvalidAnswer
from annotation.models.work import Assignment, Item
from annotation.services import assigning, gold, judging, reviewing
from tests import factories
from tests.annotation.watching import judged, words
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    cast.project.overlap = 6
    cast.project.save()
    return cast


@pytest.fixture
def item(cast: Cast) -> Item:
    """Two said A, one said B."""
    return judged(cast.project, "aab")


def url(name: str, *args: object) -> str:
    return reverse(f"annotation:{name}", args=["harbour", *args])


def page(client: Client, item: Item) -> str:
    return words(client.get(url("item", item.pk)).content.decode())


def split(client: Client, item: Item) -> tuple[str, str, str]:
    """What the table of the monitor as CSV tells of the item's votes."""
    rows = csv.DictReader(io.StringIO(client.get(url("monitor_csv", "items")).content.decode()))
    (row,) = [row for row in rows if row["item"] == str(item.pk)]
    return row["a"], row["tie"], row["b"]


def hides(user: User, item: Item) -> bool:
    """The same on the page of the item, in the table of disputed items and in its download."""
    client = browser(user)
    table = words(client.get(url("monitor")).content.decode()).split("Where people differ most")[1]
    by_page = "Annotator Answer" not in page(client, item)
    assert by_page == ("hidden" in table) == (split(client, item) == ("", "", ""))
    return by_page


@pytest.mark.slow
def test_the_monitor_hides_votes_on_what_one_may_still_judge(cast: Cast, item: Item) -> None:
    assert hides(cast.reviewer, item)
    assert hides(cast.manager, item)
    assert not hides(cast.engineer, item)  # who judges nothing
    assert split(browser(cast.engineer), item) == ("2", "0", "1")
    cast.project.blind_review = False
    cast.project.save()
    assert not hides(cast.reviewer, item)


@pytest.mark.slow
def test_of_a_ranking_the_pair_is_hidden_too(cast: Cast) -> None:
    cast.project.kind = "ranking"
    cast.project.save()
    item = factories.pair_item(cast.project)
    for ranks in ((1, 2), (1, 2), (2, 1)):
        factories.judgment(item, factories.user(), answers=[Answer("overall", ranks=ranks)])
    assert hides(cast.reviewer, item)
    assert not hides(cast.engineer, item)


@pytest.mark.slow
def test_seeing_the_votes_opens_them_everywhere(cast: Cast, item: Item) -> None:
    browser(cast.reviewer).post(url("see_votes", item.pk))
    assert not hides(cast.reviewer, item)
    assert hides(cast.manager, item)


@pytest.mark.slow
def test_who_has_answered_sees_the_votes_once_the_answer_can_no_longer_change(cast: Cast, item: Item) -> None:
    factories.judgment(item, cast.reviewer, "b")
    assert hides(cast.reviewer, item)
    assert "may still answer it, or change your answer" in page(browser(cast.reviewer), item)
    cast.project.reopen_hours = 0
    cast.project.save()
    assert not hides(cast.reviewer, item)
    cast.project.reopen_hours = 24
    cast.project.save()
    assert hides(cast.reviewer, item)
    Assignment.objects.filter(annotator=cast.reviewer).update(
        finished_at=timezone.now() - timedelta(hours=25)
    )
    assert not hides(cast.reviewer, item)
    cast.project.reopen_hours, cast.project.state = None, "closed"
    cast.project.save()
    assert not hides(cast.reviewer, item)


def test_a_closed_project_hides_nothing(cast: Cast, item: Item) -> None:
    cast.project.state = "closed"
    cast.project.save()
    assert not hides(cast.reviewer, item)


@pytest.mark.slow
def test_what_one_skipped_and_may_take_up_again_stays_hidden(cast: Cast, item: Item) -> None:
    held = factories.assignment(item, cast.reviewer)
    assigning.skip(assignment_id=held.pk, annotator=cast.reviewer, reason="Too long")
    assert hides(cast.reviewer, item)
    reviewing.see_votes(item=item, annotator=cast.reviewer)
    assert not hides(cast.reviewer, item)


@pytest.mark.slow
def test_the_twin_as_gold_hides_and_opens_with_the_item(cast: Cast, item: Item) -> None:
    twin = gold.write_for(
        item=item, answers=[Answer("overall", choice="a")], reason="Sure.", source="written", actor=cast.admin
    )
    factories.judgment(twin, cast.reviewer, "a")
    client = browser(cast.reviewer)
    assert hides(cast.reviewer, item)
    assert "Sure." not in words(client.get(url("gold")).content.decode())
    client.post(url("see_votes", item.pk))
    assert not hides(cast.reviewer, item)
    assert "Sure." in words(client.get(url("gold")).content.decode())


def test_what_is_new_to_somebody_is_hidden_of_many_items_as_of_one(cast: Cast) -> None:
    items = [factories.pair_item(cast.project) for _ in range(4)]
    factories.judgment(items[1], cast.reviewer, "a")
    reviewing.see_votes(item=items[2], annotator=cast.reviewer)
    Item.objects.filter(pk=items[3].pk).update(retired_at=timezone.now())
    ids = [one.pk for one in items]
    hidden = blind_selectors.hidden_items(cast.reviewer, Role.REVIEWER, cast.project, ids)
    assert hidden == {items[0].pk, items[1].pk}
    assert blind_selectors.hidden_items(cast.engineer, Role.ENGINEER, cast.project, ids) == set()


def test_who_has_seen_the_votes_cannot_change_their_answer(cast: Cast, item: Item) -> None:
    mine = factories.judgment(item, cast.reviewer, "b")
    client = browser(cast.reviewer)
    assert client.get(url("judge_again", mine.assignment_id)).status_code == 200
    client.post(url("see_votes", item.pk))
    held = Assignment.objects.get(pk=mine.assignment_id)
    assert not assigning.may_reopen(held)
    assert judging.last_answered(project=cast.project, annotator=cast.reviewer) is None
    assert client.get(url("judge_again", held.pk)).url == url("judge")
    with pytest.raises(judging.Conflict):
        judging.submit(
            assignment_id=held.pk,
            annotator=cast.reviewer,
            answers=judging.pairwise(cast.project, "a"),
            idempotency_key="changed",
            replaces=mine.pk,
        )
    assert mine.answers.get().choice == "b"
    assert "Change" not in words(client.get(url("work")).content.decode()).split("Filter")[1]
    assert "You have seen what others answered." in words(client.get(url("work")).content.decode())


def test_who_has_seen_the_votes_cannot_take_the_item_up_again(cast: Cast, item: Item) -> None:
    held = factories.assignment(item, cast.reviewer)
    client = browser(cast.reviewer)
    client.post(url("see_votes", item.pk))
    assert client.get(url("judge_again", held.pk)).url == url("judge")
    with pytest.raises(InvalidAnswer, match="can no longer be judged"):
        judging.submit(
            assignment_id=held.pk,
            annotator=cast.reviewer,
            answers=judging.pairwise(cast.project, "a"),
            idempotency_key="late",
        )
    assert not held.judgments.exists()
    assert "Take up again" not in words(client.get(url("work")).content.decode())

"""The pages of reviews: who sees what and when, what a step answers, how many queries it takes."""

import html

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from annotation.models.review import ModelOdds, Review
from annotation.models.work import Assignment, Item
from annotation.services import adjudicating, reviewing
from tests import factories
from tests.annotation import watching
from tests.annotation.reviewed import adjudicated, blind, labelled
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db

QUEUE = "/p/harbour/review/"
NOTE = "The prompt names no year."
# Of the whole page, however many items wait: the session, the user, the role, the queue and what it shows.
QUERIES = 30


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    cast.project.spot_check_rate = 0
    cast.project.save()
    return cast


@pytest.fixture
def item(cast: Cast) -> Item:
    """Two said A, one said B; somebody flagged it, and the model says B."""
    (item,) = labelled(cast.project, "aab")
    Assignment.objects.create(
        item=item,
        project=cast.project,
        annotator=cast.annotator,
        state="flagged",
        display_order=[0, 1],
        note=NOTE,
        lease_expires_at=timezone.now(),
        finished_at=timezone.now(),
    )
    first, second = item.item_responses.order_by("position").values_list("response_id", flat=True)
    ModelOdds.objects.create(
        project=cast.project,
        item=item,
        response_a_id=first,
        response_b_id=second,
        p_a=0.1,
        p_tie=0.1,
        p_b=0.8,
        odds=1,
        source="run 7",
    )
    return item


def words(client: Client, address: str = QUEUE) -> str:
    return html.unescape(watching.words(client.get(address).content.decode()))


def address(review: Review) -> str:
    return reverse("annotation:review", args=["harbour", review.pk])


def begin(client: Client, item: Item) -> Review:
    answer = client.post(reverse("annotation:start_review", args=["harbour", item.pk]))
    review = Review.objects.get(item=item, state="open", kind="adjudication")
    assert answer.url == address(review)
    return review


FIGURES = ("2 : 0 : 1", "80 %", NOTE, "voter-0")


def tells(page: str) -> list[str]:
    return [figure for figure in FIGURES if figure in page]


def test_the_queue_tells_figures_only_to_those_who_may_see_the_votes(cast: Cast, item: Item) -> None:
    page = words(browser(cast.reviewer))
    assert tells(page) == []
    assert "1 person flagged it people differ the model sees it differently" in page
    engineer = words(browser(cast.engineer))
    assert "people differ, 2 : 0 : 1 the model (run 7): B is better, 80 %" in engineer
    assert "Decide item" in page
    assert "Decide item" not in engineer


@pytest.mark.slow
def test_no_vote_is_in_the_page_before_the_blind_answer(cast: Cast, item: Item) -> None:
    client = browser(cast.reviewer)
    review = begin(client, item)
    before = client.get(address(review)).content.decode()
    assert "without the votes" in before
    assert tells(before) == []
    for step, fields in (("decide", {"choice-0": "a", "reason": "It is."}), ("nonsense", {})):
        client.post(address(review), {"step": step, **fields})
        assert Review.objects.get().state == "open"
    assert tells(client.get(address(review)).content.decode()) == []
    answer = client.post(address(review), {"step": "blind", "choice-0": "b"})
    assert answer.url == address(review)
    page = words(client, address(review))
    assert {NOTE, "voter-0"} <= set(tells(page))
    assert "Your answer without the votes B is better" in page
    assert "the model (run 7): B is better, 80 %" in page
    done = client.post(address(review), {"step": "decide", "choice-0": "a", "reason": "It is so."})
    assert done.url == QUEUE
    after = words(client)
    assert "Decided: A is better." in after
    assert "Nothing waits for a decision" in after
    assert "A is better It is so. reviewer" in after


@pytest.mark.slow
def test_what_was_decided_stays_hidden_from_who_may_still_judge(cast: Cast, item: Item) -> None:
    review = adjudicated(item, cast.manager, "b", "Because of the year.")
    client = browser(cast.reviewer)
    for page in (words(client), words(client, address(review))):
        assert "Because of the year." not in page
        assert "manager" in page
    assert "Hidden: you may still judge it" in words(client)
    engineer = browser(cast.engineer)
    assert "manager has decided: B is better . Because of the year." in words(engineer, address(review))


@pytest.mark.slow
def test_two_reviewers_see_each_other_and_one_takes_over(cast: Cast, item: Item) -> None:
    first, second = browser(cast.reviewer), browser(cast.manager)
    review = begin(first, item)
    assert begin(second, item) == review
    page = words(second, address(review))
    assert "reviewer has this review now and has not decided yet. Take it over" in page
    assert tells(page) == []
    assert "reviewer is at it" in words(second)
    refused = second.post(address(review), {"step": "blind", "choice-0": "a"}, follow=True)
    assert "reviewer has this review now." in html.unescape(refused.content.decode())
    second.post(address(review), {"step": "take", "seen": str(cast.reviewer.pk)})
    assert "1 of 2" in words(second, address(review))
    assert "manager has this review now" in words(first, address(review))
    assert "Take it over" not in words(browser(cast.engineer), address(review))


@pytest.mark.parametrize("off", [True, False])
def test_the_blind_step_is_left_out_and_the_page_says_why(cast: Cast, item: Item, off: bool) -> None:
    if off:
        cast.project.blind_review = False
        cast.project.save()
    else:
        reviewing.see_votes(item=item, annotator=cast.reviewer)
    client = browser(cast.reviewer)
    page = words(client, address(begin(client, item)))
    assert ("blind review is off" in page) == off
    assert ("you could see the votes before" in page) == (not off)
    assert "2 of 2" not in page


@pytest.mark.slow
def test_what_is_missing_is_said_and_nothing_is_lost(cast: Cast, item: Item) -> None:
    client = browser(cast.reviewer)
    review = begin(client, item)
    refused = client.post(address(review), {"step": "blind"})
    assert refused.status_code == 422
    assert "No answer yet for overall." in refused.content.decode()
    assert tells(refused.content.decode()) == []
    client.post(address(review), {"step": "blind", "choice-0": "a"})
    refused = client.post(address(review), {"step": "decide", "choice-0": "tie", "gold": "1"})
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "Say why" in page
    assert 'id="choice-0-tie" value="tie" form="answer" required checked' in page
    assert 'name="gold" value="1" checked' in page
    refused = client.post(address(review), {"step": "dismiss", "reason": " "})
    assert refused.status_code == 422
    client.post(address(review), {"step": "dismiss", "reason": "A matter of <taste>."})
    assert "put aside A matter of <taste>." in words(client)


def test_gold_is_refused_on_its_page(cast: Cast) -> None:
    golden = factories.gold_item(cast.project)
    client = browser(cast.manager)
    refused = client.post(reverse("annotation:start_review", args=["harbour", golden.pk]), follow=True)
    assert "This item is gold" in refused.content.decode()
    assert not Review.objects.exists()
    assert "start_review" not in words(client, reverse("annotation:item", args=["harbour", golden.pk]))


@pytest.mark.slow
def test_a_spot_check_goes_from_the_queue_to_the_error_rate(cast: Cast, item: Item) -> None:
    cast.project.spot_check_rate = 1
    cast.project.save()
    client = browser(cast.reviewer)
    page = words(client)
    assert "Spot checks waiting 1 100 % of finished items" in page
    check = Review.objects.get(kind="spot_check")
    assert "Check the next one" in page
    assert client.post(address(check), {"step": "take", "seen": ""}).url == address(check)
    shown = words(client, address(check))
    assert "Spot check: answer as an annotator would" in shown
    assert tells(shown) == []
    answer = client.post(address(check), {"step": "blind", "choice-0": "b"})
    further = Review.objects.get(kind="adjudication")
    assert answer.url == address(further)
    assert "voter-0" in words(client, address(further))
    page = words(client)
    assert "Labels that are wrong 100 % 21 % – 100 % of 1 label seen again" in page
    assert "Turned round 1" in page
    assert "The label says something else than reviewer." in words(client, address(check))


def test_an_open_spot_check_shows_no_votes_to_who_could_do_it(cast: Cast, item: Item) -> None:
    cast.project.spot_check_rate, cast.project.blind_review = 1, False
    cast.project.save()
    words(browser(cast.reviewer))
    check = Review.objects.get(kind="spot_check")
    page = words(browser(cast.reviewer), address(check))
    assert "Nobody has begun this one. Begin" in page
    assert tells(page) == []
    assert "voter-0" in words(browser(cast.engineer), address(check))


def test_whoever_knows_the_items_is_told_so(cast: Cast, item: Item) -> None:
    cast.project.spot_check_rate = 1
    cast.project.save()
    reviewing.see_votes(item=item, annotator=cast.reviewer)
    page = words(browser(cast.reviewer))
    assert "All that wait are for somebody else" in page
    assert "Check the next one" not in page


def count(user: User) -> int:
    client = browser(user)
    client.get(QUEUE)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(QUEUE).status_code == 200
    return len(asked)


@pytest.mark.slow
def test_the_queue_page_asks_the_same_however_much_waits(cast: Cast) -> None:
    labelled(cast.project, "aab", "abb")
    adjudicated(labelled(cast.project, "aab")[0], cast.manager)
    few = count(cast.reviewer)
    for one in labelled(cast.project, *["aab"] * 8):
        adjudicating.start(item=one, reviewer=cast.manager)
    for one in labelled(cast.project, *["abb"] * 4):
        adjudicated(one, cast.manager)
    assert count(cast.reviewer) == few <= QUERIES


def test_the_item_page_leads_to_the_review(cast: Cast, item: Item) -> None:
    client = browser(cast.reviewer)
    place = reverse("annotation:item", args=["harbour", item.pk])
    assert reverse("annotation:start_review", args=["harbour", item.pk]) in client.get(place).content.decode()
    review = begin(client, item)
    assert address(review) in client.get(place).content.decode()
    blind(review, cast.reviewer, "a")
    assert NOTE in words(client, place)

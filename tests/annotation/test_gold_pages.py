"""The pages of gold, of one item, and blind review."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.answering.answer import Answer
from annotation.models.quality import GoldAnswer
from annotation.models.work import Assignment, Item
from annotation.services import gold
from tests import factories
from tests.annotation import watching
from tests.annotation.ordering import item_of, told, vote
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    cast.project.overlap = 5
    cast.project.save()
    return cast


def words(page: str) -> str:
    return html.unescape(watching.words(page))


def url(name: str, *args: object) -> str:
    return reverse(f"annotation:{name}", args=["harbour", *args])


def of_kind(cast: Cast, kind: str, **fields: object) -> None:
    for name, value in {"kind": kind, **fields}.items():
        setattr(cast.project, name, value)
    cast.project.save()


FORMS = [
    ("pairwise", {"choice-0": "b"}, "B is better"),
    ("ranking", {"rank-0-0": "2", "rank-0-1": "1", "rank-0-2": "2"}, "B > A = C"),
    ("rating", {"rating-0-0": "1", "rating-0-1": "5", "rating-0-2": "3"}, "A 1, B 5, C 3"),
]


@pytest.mark.parametrize(("kind", "fields", "shown"), FORMS)
def test_a_manager_makes_gold_of_any_item_and_sees_it_in_the_list(
    cast: Cast, kind: str, fields: dict[str, str], shown: str
) -> None:
    of_kind(cast, kind, strength_scale=True)
    item = item_of(cast.project, 2 if kind == "pairwise" else 3)
    client = browser(cast.manager)
    form = client.get(url("write_gold", item.pk)).content.decode()
    for name in fields:
        assert f'name="{name}"' in form
    assert 'value="b-3"' not in form  # the expert is not asked how much better
    answer = client.post(url("write_gold", item.pk), {**fields, "reason": "The <b>other</b> is wrong."})
    twin = Item.objects.get(is_gold=True)
    assert answer.url == url("item", twin.pk)
    assert GoldAnswer.objects.get().source == "written"
    page = client.get(url("gold")).content.decode()
    assert shown in words(page)
    assert "not met yet" in words(page)
    assert "&lt;b&gt;other&lt;/b&gt;" in page
    again = client.get(url("write_gold", twin.pk)).content.decode()
    assert "Correct gold" in words(again)
    checked = re.findall(r'name="(\w+-[\d-]+)"[^>]*value="(\w+)"[^>]* checked', again)
    if kind != "ranking":
        assert dict(checked) == fields


def test_a_form_that_is_not_filled_in_comes_back_with_the_problem(cast: Cast) -> None:
    item = item_of(cast.project, 2)
    refused = browser(cast.manager).post(url("write_gold", item.pk), {"reason": "Because it is."})
    assert refused.status_code == 422
    assert "Because it is." in refused.content.decode()
    assert "one criterion at least" in words(refused.content.decode())
    assert not GoldAnswer.objects.exists()


def test_gold_from_votes_is_filled_in_with_what_most_people_said(cast: Cast) -> None:
    of_kind(cast, "ranking", blind_review=False)
    item = item_of(cast.project, 3)
    client = browser(cast.reviewer)
    assert client.get(url("write_gold", item.pk)).status_code == 404  # nothing to adjudicate
    for ranks in [(1, 2, 3), (2, 1, 3), (1, 2, 3)]:
        vote(item, ranks)
    assert f"{url('write_gold', item.pk)}?votes=1" in client.get(url("item", item.pk)).content.decode()
    form = client.get(url("write_gold", item.pk) + "?votes=1").content.decode()
    ranks = re.findall(r'<select[^>]*name="rank-0-\d".*?<option selected>(\d)', form, re.DOTALL)
    assert ranks == ["1", "2", "3"]
    client.post(url("write_gold", item.pk), {f"rank-0-{p}": str(p + 1) for p in range(3)} | {"votes": "1"})
    made = GoldAnswer.objects.get()
    assert (made.ranks, made.source, made.created_by) == ([1, 2, 3], "adjudicated", cast.reviewer)
    assert client.get(url("write_gold", item.pk)).status_code == 404  # a manager corrects what stands


def test_gold_is_retired_and_used_again_from_the_list(cast: Cast) -> None:
    item = factories.gold_item(cast.project)
    client = browser(cast.manager)
    client.post(url("retire_gold", item.pk))
    assert Item.objects.get().slots_left == 0
    assert "None of this kind." in words(client.get(url("gold")).content.decode())
    assert "Use again" in words(client.get(url("gold") + "?show=retired").content.decode())
    client.post(url("restore_gold", item.pk))
    assert Item.objects.get().retired_at is None
    assert "Retire" in words(client.get(url("gold")).content.decode())


def test_the_list_says_how_people_answer_with_the_hardest_first(cast: Cast) -> None:
    easy, hard = factories.gold_item(cast.project), factories.gold_item(cast.project)
    for item, choice in ((easy, "a"), (hard, "b")):
        for _ in range(3):
            factories.judgment(item, factories.user(), choice)
    text = words(browser(cast.engineer).get(url("gold")).content.decode())
    assert text.index("0 / 3 0 %") < text.index("3 / 3 100 %")


# --- blind review ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_who_may_still_be_asked_sees_no_votes_and_no_gold(cast: Cast) -> None:
    item = factories.gold_item(cast.project, reason="Told by the expert.", external_id="gold-17")
    factories.judgment(item, factories.user("voter-anna"), "b", comment="My own words.")
    secrets = ["voter-anna", "My own words.", "Told by the expert.", "Gold:", "gold-17", "B is better"]
    for person in (cast.reviewer, cast.manager):
        page = browser(person).get(url("item", item.pk)).content.decode()
        assert [secret for secret in secrets if secret in page] == []
        assert "Judge it" in words(page)
        listed = browser(person).get(url("gold")).content.decode()
        assert "Told by the expert." not in listed
        assert "you may still judge it" in words(listed)
    engineer = browser(cast.engineer).get(url("item", item.pk)).content.decode()
    assert [secret for secret in secrets if secret not in engineer] == []
    cast.project.blind_review = False
    cast.project.save()
    assert "voter-anna" in browser(cast.reviewer).get(url("item", item.pk)).content.decode()


def test_judging_it_leads_to_the_judging_page_with_this_item(cast: Cast) -> None:
    item = item_of(cast.project, 2)
    item_of(cast.project, 2)
    answer = browser(cast.reviewer).post(url("claim_item", item.pk))
    held = Assignment.objects.get(annotator=cast.reviewer)
    assert held.item == item
    assert answer.url == url("judge_again", held.pk)
    page = browser(cast.reviewer).get(answer.url)
    assert page.status_code == 200
    assert f'value="{held.pk}"' in page.content.decode()
    assert "Judge it" in words(browser(cast.reviewer).get(url("item", item.pk)).content.decode())
    factories.judging.submit(
        assignment_id=held.pk,
        annotator=cast.reviewer,
        answers=[Answer("overall", choice="a")],
        idempotency_key="mine",
    )
    assert "Judge it" not in words(browser(cast.reviewer).get(url("item", item.pk)).content.decode())


def test_an_item_that_is_full_says_so(cast: Cast) -> None:
    cast.project.overlap = 1
    cast.project.save()
    item = item_of(cast.project, 2)
    factories.judgment(item, factories.user(), "a")
    answer = browser(cast.reviewer).post(url("claim_item", item.pk), follow=True)
    assert "All places on this item are taken." in words(answer.content.decode())
    assert not Assignment.objects.filter(annotator=cast.reviewer).exists()


def test_seeing_the_votes_costs_the_item(cast: Cast) -> None:
    item = item_of(cast.project, 2)
    factories.judgment(item, factories.user("voter-anna"), "b")
    client = browser(cast.reviewer)
    page = client.post(url("see_votes", item.pk), follow=True).content.decode()
    assert "voter-anna" in page
    assert Assignment.objects.get(annotator=cast.reviewer).state == "skipped"
    assert "harbour" in client.get(url("judge")).content.decode()
    assert not Assignment.objects.filter(annotator=cast.reviewer, state="open").exists()
    client.post(url("see_votes", item.pk))  # again changes nothing
    assert Assignment.objects.filter(annotator=cast.reviewer).count() == 1


def test_gold_from_votes_waits_until_one_has_judged_or_looked(cast: Cast) -> None:
    item = item_of(cast.project, 2)
    factories.judgment(item, factories.user(), "b")
    client = browser(cast.reviewer)
    assert client.get(url("write_gold", item.pk) + "?votes=1").url == url("item", item.pk)
    client.post(url("see_votes", item.pk))
    assert client.get(url("write_gold", item.pk) + "?votes=1").status_code == 200


# --- one item in words ---------------------------------------------------------------------------------


def test_votes_of_all_kinds_read_well_with_places_and_strength(cast: Cast) -> None:
    of_kind(cast, "ranking", criteria=[{"name": n, "description": ""} for n in ("helpful", "honest")])
    item = factories.pair_item(cast.project, texts=("One two", "Three", "Four"))
    span = {"response": 0, "start": 4, "end": 7, "quote": "two", "reason": ""}
    vote(item, (1, 2, 2), display_order=(2, 0, 1), spans=[span])
    text = words(browser(cast.engineer).get(url("item", item.pk)).content.decode())
    assert "helpful A > B = C honest A > B = C C A B A: two" in text
    twin = gold.write_for(
        item=item, answers=[told(cast.project, (1, 2, 2)), told(cast.project, (3, 2, 1), "honest")],
        reason="", source="written",
    )  # fmt: skip
    vote(twin, (1, 2, 2))
    text = words(browser(cast.engineer).get(url("item", twin.pk)).content.decode())
    assert "Gold: helpful : A > B = C; honest : C > B > A." in text
    assert "A > B = C as gold honest A > B = C against gold" in text


def test_how_gold_is_answered_is_asked_once_a_page(cast: Cast) -> None:
    item = factories.gold_item(cast.project)
    factories.judgment(item, factories.user(), "a")
    with CaptureQueriesContext(connection) as said:
        assert browser(cast.manager).get(url("gold")).context["rows"][0].checks.answered == 1
    assert sum("AS credit" in one["sql"] for one in said) == 1

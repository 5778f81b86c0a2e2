"""The discussion of an item, and the gaps in the guidelines that are found and closed there."""

import html

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models.project import Guideline
from annotation.models.review import Comment
from annotation.models.work import Item
from annotation.services import discussing, projects, reviewing
from tests import factories
from tests.annotation import watching
from tests.annotation.reviewed import labelled
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db

QUESTION = "Which of the two <years> counts?"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def item(cast: Cast) -> Item:
    """The reviewer has seen its votes; the manager has not."""
    factories.guideline(cast.project)
    (item,) = labelled(cast.project, "aab")
    reviewing.see_votes(item=item, annotator=cast.reviewer)
    return item


def url(name: str, *args: object) -> str:
    return reverse(f"annotation:{name}", args=["harbour", *args])


def words(client: Client, address: str) -> str:
    return html.unescape(watching.words(client.get(address).content.decode()))


@pytest.mark.slow
def test_a_comment_stands_on_the_page_of_the_item(cast: Cast, item: Item) -> None:
    client = browser(cast.reviewer)
    for _ in range(2):  # a double click
        answer = client.post(url("comment", item.pk), {"text": f" {QUESTION} "})
        assert answer.url == url("item", item.pk) + "#discussion"
    (comment,) = Comment.objects.all()
    assert (comment.author, comment.text, comment.gap, comment.guideline) == (
        cast.reviewer,
        QUESTION,
        False,
        None,
    )
    assert f"reviewer {comment.created_at:%b}" in words(client, url("item", item.pk))
    engineer = browser(cast.engineer)
    assert QUESTION in words(engineer, url("item", item.pk))
    assert "Say it" not in words(engineer, url("item", item.pk))
    assert engineer.post(url("comment", item.pk), {"text": "I, too."}).status_code == 404


def test_who_may_not_see_the_votes_sees_no_comment_and_makes_none(cast: Cast, item: Item) -> None:
    discussing.say(item=item, author=cast.reviewer, text=QUESTION, gap=True)
    client = browser(cast.manager)
    assert QUESTION not in words(client, url("item", item.pk))
    refused = client.post(url("comment", item.pk), {"text": "What did they say?"}, follow=True)
    assert "before you discuss it" in refused.content.decode()
    assert Comment.objects.count() == 1
    assert QUESTION not in words(client, url("edit_guidelines"))
    assert "Hidden until you have judged the item" in words(client, url("edit_guidelines"))


@pytest.mark.parametrize(("text", "said"), [(" \x00 ", "Write something"), ("x" * 5_001, "shorten it")])
def test_nothing_and_too_much_is_refused(cast: Cast, item: Item, text: str, said: str) -> None:
    refused = browser(cast.reviewer).post(url("comment", item.pk), {"text": text}, follow=True)
    assert said in refused.content.decode()
    assert not Comment.objects.exists()


@pytest.mark.slow
def test_a_gap_is_one_of_the_version_in_force_until_another_closes_it(cast: Cast, item: Item) -> None:
    reviewing.see_votes(item=item, annotator=cast.manager)
    browser(cast.reviewer).post(url("comment", item.pk), {"text": QUESTION, "gap": "1", "review": "x"})
    other = discussing.say(item=item, author=cast.reviewer, text="And which month?", gap=True)
    gap = Comment.objects.order_by("pk").first()
    assert gap is not None
    assert gap.guideline == Guideline.objects.get(version=1)
    manager = browser(cast.manager)
    editor = words(manager, url("edit_guidelines"))
    assert QUESTION in editor
    assert f"item {item.pk}" in editor
    form = {"text": "# Guidelines\n\nThe later year counts.", "seen": "1", "closes": [gap.pk, "9" * 30]}
    refused = manager.post(url("edit_guidelines"), {**form, "text": " "})
    assert f'value="{gap.pk}" checked' in refused.content.decode()
    manager.post(url("edit_guidelines"), form)
    gap.refresh_from_db()
    other.refresh_from_db()
    assert gap.closed_by == Guideline.objects.get(version=2)
    assert other.closed_by is None
    assert QUESTION not in words(manager, url("edit_guidelines"))
    page = words(browser(cast.reviewer), url("guideline_version", 2))
    assert f"What this version closes {QUESTION}" in page
    assert "month" not in page
    assert "closed by version 2" in words(manager, url("item", item.pk))
    assert QUESTION not in words(browser(cast.annotator), url("guideline_version", 2))


def test_only_open_gaps_of_the_same_project_are_closed(cast: Cast, item: Item) -> None:
    theirs = factories.pair_item(cast.other_project)
    gap = Comment.objects.create(
        project=cast.other_project, item=theirs, author=cast.outsider, text="?", gap=True
    )
    remark = discussing.say(item=item, author=cast.reviewer, text="No gap.")
    version = projects.publish_guidelines(
        project=cast.project, text="Another text.", closes=[gap.pk, remark.pk]
    )
    assert version.version == 2
    assert not Comment.objects.filter(closed_by__isnull=False).exists()


def test_without_guidelines_a_gap_says_so(cast: Cast) -> None:
    (item,) = labelled(cast.project, "aab")
    reviewing.see_votes(item=item, annotator=cast.reviewer)
    assert discussing.say(item=item, author=cast.reviewer, text="What counts?", gap=True).guideline is None
    assert "there are no guidelines" in words(browser(cast.reviewer), url("item", item.pk))

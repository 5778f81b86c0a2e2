"""Items people disagree on, the page of one item, and the tables as CSV."""

import csv
import io
import re

import pytest
from django.test import Client
from django.urls import reverse

from annotation.item_selectors import disputed
from tests import factories
from tests.annotation.watching import judged, words
from tests.cast import Cast, browser, make_cast, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.mark.slow
def test_disputed_items_come_by_entropy_and_lead_to_their_page(cast: Cast) -> None:
    unanimous, even, split = (judged(cast.project, votes) for votes in ("aaa", "abt", "aab"))
    found = disputed(cast.project)
    assert [row.id for row in found] == [even.pk, split.pk]
    assert found[0].entropy == pytest.approx(1.58496, abs=1e-5)
    assert found[1].entropy == pytest.approx(0.91830, abs=1e-5)
    html = browser(cast.reviewer).get(reverse("annotation:monitor", args=["harbour"])).content.decode()
    assert reverse("annotation:item", args=["harbour", even.pk]) in html
    assert reverse("annotation:item", args=["harbour", unanimous.pk]) not in html


def test_the_item_page_shows_texts_votes_sides_and_reasons(cast: Cast) -> None:
    item = factories.gold_item(
        cast.project, choice="a", reason="B is *wrong*.", texts=("One **bold**", "Two")
    )
    factories.judgment(
        item, person("ann"), "b", display_order=(1, 0), reasons=("factual error",), comment="<b>cites</b> it"
    )
    html = browser(cast.engineer).get(reverse("annotation:item", args=["harbour", item.pk])).content.decode()
    text = words(html)
    assert "<strong>bold</strong>" in html
    assert "B is better" in text
    assert "against gold" in text
    assert re.search(r"against gold B factual error", text)
    assert "&lt;b&gt;cites" in html


def test_an_item_page_never_names_the_models(cast: Cast) -> None:
    prompt = factories.prompt(cast.project)
    pair = [
        factories.response(prompt, model="secret-model-1"),
        factories.response(prompt, model="secret-model-2"),
    ]
    item = factories.pair_item(cast.project, pair=pair)
    html = browser(cast.engineer).get(reverse("annotation:item", args=["harbour", item.pk])).content.decode()
    assert "Nobody has judged this item yet." in html
    assert "secret-model" not in html


def test_an_item_of_another_project_is_not_there(cast: Cast) -> None:
    theirs = judged(cast.other_project, "ab")
    client: Client = browser(cast.manager)
    assert client.get(reverse("annotation:item", args=["harbour", theirs.pk])).status_code == 404


@pytest.mark.slow
def test_every_table_downloads_and_no_cell_is_a_formula(cast: Cast) -> None:
    item = judged(cast.project, "aab")
    mallory = factories.user("mallory", display_name='=HYPERLINK("http://x")')
    factories.judgment(judged(cast.project, "b", start=5), mallory, "a")
    client = browser(cast.engineer)

    def table(name: str) -> list[dict[str, str]]:
        response = client.get(reverse("annotation:monitor_csv", args=["harbour", name]))
        assert response["Content-Disposition"] == f'attachment; filename="harbour-{name}.csv"'
        return list(csv.DictReader(io.StringIO(response.content.decode())))

    assert '\'=HYPERLINK("http://x")' in [row["annotator"] for row in table("annotators")]
    assert [row["judgments"] for row in table("volume")] == ["4", "1"]
    assert {row["choice"]: row["judgments"] for row in table("choices")}["a"] == "3"
    assert "krippendorff ordinal" in [row["coefficient"] for row in table("agreement")]
    assert [(row["a"], row["b"]) for row in table("items") if row["item"] == str(item.pk)] == [("2", "1")]
    assert client.get(reverse("annotation:monitor_csv", args=["harbour", "passwords"])).status_code == 404

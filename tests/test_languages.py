"""The languages: every word is translated, what Laurel reads is what people edit, choosing works."""

import re
from collections import Counter

import pytest
from babel.messages.catalog import Message
from django.test import Client
from django.urls import reverse
from django.utils import translation

from annotation.templatetags import charts as numbers
from annotation.views.home import ROLES
from tests import cast, catalogs, factories
from tests.cast import browser
from tests.test_permissions import ROUTES, make_world

# What Python, the pages' scripts and the sentences of a selection fill in.
PLACE = re.compile(r"%(?:\(\w+\)[sd]|%[a-z]+|[sd])|\{\w+(?::[^{}]*)?\}")
POSITIONAL = re.compile(r"%[sd]")


@pytest.fixture(scope="module")
def asked() -> list[catalogs.Message]:
    return catalogs.messages()


def forms(one: Message) -> list[str]:
    return [one.string] if isinstance(one.string, str) else list(one.string or [])


def test_the_messages_are_found_as_django_asks_for_them() -> None:
    template = (
        '{% translate "Plain" %}{% translate "100 % sure" %}'
        "{% blocktranslate with a=b %}Hello {{ a }}{% endblocktranslate %}"
        '{% include "x.html" with label=_("Inside") %}'
        "{% blocktranslate count n=n %}{{ n }} one{% plural %}{{ n }} many{% endblocktranslate %}"
        '{% translate "May" context "month" %}'
    )
    found = [(one.context, one.singular, one.plural) for one in catalogs.in_template(template, "x.html")]
    assert found == [
        (None, "Plain", None),
        (None, "100 %% sure", None),
        (None, "Hello %(a)s", None),
        (None, "Inside", None),
        (None, "%(n)s one", "%(n)s many"),
        ("month", "May", None),
    ]
    python = (
        "from django.utils.translation import gettext as _, gettext_lazy, ngettext, pgettext\n"
        "_('One'); gettext_lazy('Two ' 'parts'); ngettext('%s a', '%s b', n); pgettext('where', 'C'); _(name)"
    )
    assert [(one.context, one.singular, one.plural) for one in catalogs.in_python(python, "x.py")] == [
        (None, "One", None),
        (None, "Two parts", None),
        (None, "%s a", "%s b"),
        ("where", "C", None),
    ]
    pure = (
        "from activelearning.acquisition.wording import counted, said\n"
        "said('{a} here', a=1); counted(n, '{n} is', '{n} are'); counted(n, one, many)"
    )
    assert [(one.singular, one.plural) for one in catalogs.in_python(pure, "x.py")] == [
        ("{a} here", None),
        ("{n} is", "{n} are"),
    ]


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_every_message_is_translated(language: str, asked: list[catalogs.Message]) -> None:
    """After a change of words: python -m tests.catalogs, then fill in locale/*/LC_MESSAGES/django.po."""
    catalog = catalogs.catalog(language)
    missing = [
        f"{one.place}: {one.singular}" for one in asked if catalog.get(one.id, context=one.context) is None
    ]
    assert missing == []
    assert catalogs.untranslated(catalog) == []
    wanted = {(one.context, one.id) for one in asked}
    assert [one.id for one in catalog if one.id and (one.context, one.id) not in wanted] == []
    assert [one.id for one in catalog if one.id and one.fuzzy] == []


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_translations_have_the_places_that_are_filled_in(language: str) -> None:
    wrong = []
    for one in catalogs.catalog(language):
        if not one.id:
            continue
        texts = [one.id] if isinstance(one.id, str) else list(one.id)
        most = Counter(PLACE.findall(texts[-1]))
        for text in forms(one):
            places = Counter(PLACE.findall(text))
            whole = isinstance(one.id, str) or POSITIONAL.search(texts[-1])
            # "one item" and "two items" have no number in many languages
            if (places != most) if whole else (set(places) - set(most)):
                wrong.append((texts[-1], text))
            if "%" in texts[-1] and "%" in PLACE.sub("", text).replace("%%", ""):
                wrong.append((texts[-1], text))
    assert wrong == []


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_plurals_have_every_form_and_markup_stays(language: str) -> None:
    catalog = catalogs.catalog(language)
    for one in catalog:
        if one.id and not isinstance(one.id, str):
            assert len(forms(one)) == catalog.num_plurals, one.id
        for text in forms(one) if one.id else []:
            original = one.id if isinstance(one.id, str) else one.id[0]
            assert re.findall(r"</?\w+", text) == re.findall(r"</?\w+", original)
            assert (text[0].isspace(), text[-1].isspace()) == (original[0].isspace(), original[-1].isspace())


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_the_file_that_is_read_is_made_from_the_one_that_is_edited(language: str) -> None:
    """`python -m tests.catalogs` makes it; no machine that runs Laurel needs gettext."""
    made = catalogs.compiled(catalogs.catalog(language))
    assert catalogs.po_file(language).with_suffix(".mo").read_bytes() == made


def test_arabic_counts_in_its_own_forms() -> None:
    with translation.override("ar"):
        said = {n: translation.ngettext("%s item", "%s items", n) for n in (1, 2, 3, 11, 100)}
    assert len(set(said.values())) == 4  # one and a hundred look alike


@pytest.mark.django_db
def test_roles_are_said_in_the_readers_language() -> None:
    with translation.override("de"):
        assert [str(word) for word in ROLES.values()] == [
            "Annotation",
            "Review",
            "Projektleitung",
            "ML-Entwicklung",
        ]


# --- choosing one ---------------------------------------------------------------------------------

pages = pytest.mark.django_db


def chosen(client: Client, language: str, onward: str = "/sign-in/"):
    return client.post(reverse("accounts:set_language"), {"language": language, "next": onward})


@pages
@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("ar", "rtl"), ("en", "ltr")])
def test_a_chosen_language_is_kept_and_beats_the_browsers(language: str, direction: str) -> None:
    client = browser()
    reply = chosen(client, language)
    assert (reply.status_code, reply["Location"]) == (302, "/sign-in/")
    cookie = reply.cookies["django_language"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    page = client.get("/sign-in/", headers={"Accept-Language": "en" if language != "en" else "de"})
    assert f'<html lang="{language}" dir="{direction}"' in page.content.decode()


@pages
@pytest.mark.parametrize(
    ("asks", "gets"), [("de-AT,de;q=0.9", "de"), ("ar-EG", "ar"), ("fr", "en"), ("xx;q=9", "en")]
)
def test_without_a_choice_the_browser_decides(asks: str, gets: str) -> None:
    page = browser().get("/sign-in/", headers={"Accept-Language": asks})
    assert f'<html lang="{gets}"' in page.content.decode()


@pages
@pytest.mark.parametrize("language", ["", "fr", "../../etc", "en\r\nX: y"])
def test_no_other_language_is_kept(language: str) -> None:
    client = browser()
    chosen(client, "de")
    chosen(client, language)
    assert '<html lang="en"' in client.get("/sign-in/").content.decode()


@pages
@pytest.mark.parametrize(
    "onward", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"]
)
def test_choosing_leads_nowhere_else(onward: str) -> None:
    assert chosen(browser(), "de", onward)["Location"] == "/"


@pages
def test_dates_and_numbers_are_written_as_the_language_writes_them() -> None:
    made = cast.make_cast()
    client = browser(made.manager)
    chosen(client, "de")
    html = client.get("/account/").content.decode()
    assert '<option value="de" lang="de" selected>Deutsch</option>' in html
    said = {
        "en": ("58,602", ".35", "−1.50"),
        "de": ("58.602", "0,35", "−1,50"),
        "ar": ("58.602", "0,35", "\u200e−1,50"),
    }
    for language, expected in said.items():
        with translation.override(language):
            assert (numbers.thousands(58602), numbers.decimal(0.35), numbers.decimal(-1.5)) == expected


@pages
@pytest.mark.slow
@pytest.mark.parametrize("language", ["de", "ar"])
def test_what_programs_read_stays_as_it_is(language: str) -> None:
    """Attributes of controls and drawings, CSV and JSON have points, whatever the words around them have."""
    world = make_world()
    for number in range(30):
        item = factories.pair_item(world.cast.project)
        factories.judgment(item, world.cast.reviewer, "ab"[number % 2], seconds=1.5)
        factories.judgment(item, world.cast.annotator, "a", seconds=2.25)
    client = browser(world.cast.manager)
    chosen(client, language)
    looked_at = 0
    for route in ROUTES:
        if route.get != 200 or route.pattern == "healthz":
            continue
        reply = client.get(world.url(route))
        if reply.streaming or not reply.headers.get("Content-Type", "").startswith("text/"):
            continue
        looked_at += 1
        html = reply.content.decode()
        found = re.findall(r'\s[\w-]+="-?\d+[,٫]\d+"', html)
        assert found == [], route.pattern
    assert looked_at > 15
    csv = client.get("/p/harbour/monitor/annotators.csv").content.decode()
    assert not re.search(r"\d٫\d|[ء-ي]", csv)
    assert csv == browser(world.cast.manager).get("/p/harbour/monitor/annotators.csv").content.decode()

"""The monitoring page: what it says of the labels, of each annotator, and to whom."""

import itertools
import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from annotation import monitoring, progress_selectors
from annotation.models.project import Project
from annotation.models.review import Review
from annotation.models.work import Judgment
from annotation.models.worker import WorkerHeartbeat
from annotation.services import assessing, reporting
from tests import factories
from tests.annotation.watching import NOON, judged, words
from tests.cast import Cast, browser, make_cast, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def page(user: User, project: Project, query: str = "", **headers: str) -> str:
    response = browser(user).get(reverse("annotation:monitor", args=[project.slug]) + query, **headers)
    assert response.status_code == 200
    return response.content.decode()


def monitor_of(project: Project, sort: str = "flags") -> monitoring.Monitor:
    """As the page would have it after a worker's turn that follows no policy."""
    totals = progress_selectors.totals_of([project.pk], fresh=True)[project.pk]
    return monitoring.monitor_of(project, reporting.report_of(project), {}, totals=totals, sort=sort)


def verdict_of(project: Project) -> monitoring.Verdict:
    return monitor_of(project).verdict


def test_an_empty_project_says_what_to_do(cast: Cast) -> None:
    text = words(page(cast.manager, cast.project))
    assert "Nobody has judged yet." in text
    assert "./laurel import harbour FILE.jsonl" in text
    factories.pair_item(cast.project)
    text = words(page(cast.manager, cast.project))
    assert "1 item waits." in text
    assert "./laurel simulate harbour" in text


@pytest.mark.slow
def test_too_few_shared_items_are_too_early_to_say(cast: Cast) -> None:
    for _ in range(5):
        judged(cast.project, "aab")
    found = verdict_of(cast.project)
    assert (found.tone, found.headline) == ("info", "Too early to say.")
    assert found.meaning.startswith("5 items have been judged by two people or more.")
    assert "20" in found.meaning


def test_a_project_that_asks_one_person_is_told_to_ask_two(cast: Cast) -> None:
    cast.project.overlap = 1
    judged(cast.project, "a")
    assert "raise its overlap" in verdict_of(cast.project).meaning


@pytest.mark.parametrize(
    ("patterns", "tone", "name"),
    [
        pytest.param(["aaa", "bbb"], "good", "very high", marks=pytest.mark.slow),
        (["aaa", "bbb", "aab", "bba", "aaa", "bbb"], "good", "moderate"),
        pytest.param(["aab", "abb", "bab", "baa"], "bad", "close to chance", marks=pytest.mark.slow),
    ],
)
def test_the_verdict_names_the_agreement(cast: Cast, patterns: list[str], tone: str, name: str) -> None:
    for votes in itertools.islice(itertools.cycle(patterns), 40):
        judged(cast.project, votes)
    found = verdict_of(cast.project)
    assert found.tone == tone
    assert found.headline.startswith(f"Agreement is {name}: α = ")


@pytest.mark.slow
def test_one_answer_everywhere_has_no_agreement_to_speak_of(cast: Cast) -> None:
    for _ in range(25):
        judged(cast.project, "aa")
    found = verdict_of(cast.project)
    assert found.headline == "Too early to say."
    assert "all answers are the same" in found.meaning


def careless(project: Project) -> dict[str, User]:
    """Five careful people and three careless ones on 30 items and 6 gold items."""
    users = {name: person(name) for name in ("ann", "ben", "cleo", "dov", "eve", "lefty", "hasty", "wrong")}
    project.overlap = 8
    project.save()
    rng = random.Random(7)
    for number in range(36):
        truth = rng.choice("ab")
        gold = number < 6
        item = (
            factories.gold_item(project, choice=truth, slots_left=8) if gold else factories.pair_item(project)
        )
        for name, user in users.items():
            order = rng.choice([(0, 1), (1, 0)])
            choice = truth if rng.random() < 0.9 or gold else "tie"
            if name == "lefty" and not gold:
                choice = "ab"[order[0]]
            if name == "wrong" and gold:
                choice = {"a": "b", "b": "a"}[truth]
            factories.judgment(
                item, user, choice, display_order=order, judged_at=NOON, source="simulated",
                seconds=1.5 if name == "hasty" else 20 + 10 * rng.random(),
            )  # fmt: skip
    return users


@pytest.mark.slow
def test_the_careless_are_flagged_with_evidence_and_the_careful_are_not(cast: Cast) -> None:
    careless(cast.project)
    kinds = {one.row.name: [flag.kind for flag in one.flags] for one in assessing.qualities(cast.project)}
    assert kinds == {
        "ann": [], "ben": [], "cleo": [], "dov": [], "eve": [],
        "lefty": ["left", "guesses"], "hasty": ["fast"], "wrong": ["gold"],
    }  # fmt: skip
    found = verdict_of(cast.project)
    assert found.tone in ("warn", "bad")
    assert "One annotator fails gold checks: wrong." in found.findings
    assert "One favours the left side: lefty." in found.findings
    assert "One answers much too fast: hasty." in found.findings
    text = words(page(cast.manager, cast.project))
    assert "0 of 6 gold answers right; accuracy is below 60 % with probability 1." in text
    assert "of 36; chance alone: half" in text
    assert "1.5 s at the median of 36 answers" in text
    assert "3 flagged" in text


def test_simulated_and_imported_people_are_marked(cast: Cast) -> None:
    item = factories.pair_item(cast.project)
    factories.judgment(item, factories.simulated_user("robot"), "a", source="simulated")
    imported = factories.user("elsewhere", origin="imported", is_active=False)
    factories.judgment(item, imported, "b")
    html = page(cast.manager, cast.project)
    assert re.search(r"robot</span></a> <span[^>]*>simulated", html)
    assert re.search(r"elsewhere</span></a> <span[^>]*>imported", html)
    assert "50 % of the judgments are simulated" in words(html)


def test_a_name_is_text_and_never_markup(cast: Cast) -> None:
    factories.judgment(factories.pair_item(cast.project), factories.user("<script>alert(1)</script>"), "a")
    html = page(cast.manager, cast.project)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.slow
def test_sort_follows_the_allow_list_and_ignores_the_rest(cast: Cast) -> None:
    items = [factories.pair_item(cast.project, slots_left=9) for _ in range(3)]
    for name, count in (("zoe", 1), ("amy", 2), ("kim", 3)):
        user = factories.user(name)
        for item in items[:count]:
            factories.judgment(item, user, "a")

    def order(query: str) -> list[str]:
        return re.findall(
            r'/"><span dir="auto">(zoe|amy|kim)</span>', page(cast.manager, cast.project, query)
        )

    assert order("?sort=name") == ["amy", "kim", "zoe"]
    assert order("?sort=-name") == ["zoe", "kim", "amy"]
    assert order("?sort=judgments") == ["kim", "amy", "zoe"]
    assert order("?sort=-judgments") == ["zoe", "amy", "kim"]
    assert order("?sort=password") == order("") == ["kim", "amy", "zoe"]
    assert order("?sort=--name") == order("")
    assert 'aria-sort="ascending"' in page(cast.manager, cast.project, "?sort=name")


def test_people_without_a_value_come_last_either_way(cast: Cast) -> None:
    item = factories.pair_item(cast.project)
    factories.judgment(item, factories.user("timed"), "a", seconds=20.0, source="simulated")
    factories.judgment(item, factories.user("untimed"), "a")
    for sort in ("seconds", "-seconds"):
        found = monitor_of(cast.project, sort)
        assert [one.row.name for one in found.people] == ["timed", "untimed"]


@pytest.mark.slow
def test_the_table_shows_a_hundred_people_and_pages_on(cast: Cast) -> None:
    item = factories.pair_item(cast.project, slots_left=120)
    for number in range(120):
        factories.judgment(item, factories.user(f"crowd-{number:03}"), "a")
    html = page(cast.manager, cast.project, "?sort=name")
    assert len(re.findall(r'/"><span dir="auto">crowd-\d{3}</span>', html)) == 100
    assert "1–100 of 120" in html
    assert "?sort=name&amp;show=all&amp;name=&amp;page=2#annotators" in html.replace("&amp;amp;", "&amp;")
    more = page(cast.manager, cast.project, "?sort=name&page=2")
    assert len(re.findall(r'/"><span dir="auto">crowd-\d{3}</span>', more)) == 20
    assert "101–120" in page(cast.manager, cast.project, "?sort=name&page=999")
    assert "1–100" in page(cast.manager, cast.project, "?page=x")


@pytest.mark.slow
def test_the_page_asks_the_database_as_often_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = browser(cast.manager)
    url = reverse("annotation:monitor", args=[cast.project.slug])
    judged(cast.project, "ab")
    reporting.make(project=cast.project)
    with django_assert_num_queries(18):
        client.get(url)
    for _ in range(4):
        judged(cast.project, "abt", start=3)
    reporting.make(project=cast.project)
    with django_assert_num_queries(18):
        client.get(url)


@pytest.mark.slow
def test_the_report_is_read_once_however_often_it_is_looked_at(cast: Cast) -> None:
    judged(cast.project, "ab")
    reporting.make(project=cast.project)
    client = browser(cast.manager)
    url = reverse("annotation:monitor", args=[cast.project.slug])
    people = reverse("annotation:annotator", args=[cast.project.slug, Judgment.objects.all()[0].annotator_id])

    def bodies() -> int:
        with CaptureQueriesContext(connection) as said:
            for path in (url, url, people):
                assert client.get(path).status_code == 200
        return sum('"annotation_qualityreport"."body"' in one["sql"] for one in said)

    assert [bodies(), bodies()] == [1, 0]
    judged(cast.project, "ab", start=2)
    reporting.make(project=cast.project)
    assert [bodies(), bodies()] == [1, 0]
    assert monitor_of(cast.project).totals.judgments == 4


@pytest.mark.slow
def test_a_poll_costs_little_and_brings_nothing_until_something_happens(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    judged(cast.project, "ab")
    client = browser(cast.manager)
    url = reverse("annotation:monitor", args=[cast.project.slug])

    def poll_url(html: str) -> str:
        found = re.search(r'hx-get="([^"]+)"', html)
        assert found
        return url + found[1].replace("&amp;", "&")

    seen = poll_url(client.get(url + "?sort=name").content.decode())
    assert "sort=name" in seen
    with django_assert_num_queries(11):
        quiet = client.get(seen, headers={"hx-request": "true"})
    assert (quiet.status_code, quiet.content) == (204, b"")
    judged(cast.project, "ab")
    news = client.get(seen, headers={"hx-request": "true"})
    assert news.status_code == 200
    partial = news.content.decode()
    assert partial.lstrip().startswith('<div id="monitor"')
    assert "<html" not in partial
    assert poll_url(partial) != seen
    Judgment.objects.filter(item__project=cast.project).update(live=False)
    assert client.get(poll_url(partial), headers={"hx-request": "true"}).status_code == 200


def test_a_silent_worker_is_said_in_plain_words(cast: Cast) -> None:
    assert "No worker is running." in words(page(cast.manager, cast.project))

    def beat(queue: str) -> None:
        now = datetime.now(UTC)
        WorkerHeartbeat.objects.create(
            name=queue, queue=queue, pid=1, host="here", started_at=now - timedelta(hours=1), seen_at=now
        )

    beat("light")
    text = words(page(cast.manager, cast.project))
    assert "No training worker is running." in text
    assert "./laurel up" in text
    beat("training")
    assert "worker is running" not in words(page(cast.manager, cast.project))


@pytest.mark.parametrize("who", ["annotator", "outsider"])
def test_who_may_not_watch_finds_nothing(cast: Cast, who: str) -> None:
    item = judged(cast.project, "ab")
    client = browser(getattr(cast, who))
    for url in (
        reverse("annotation:monitor", args=["harbour"]),
        reverse("annotation:item", args=["harbour", item.pk]),
        reverse("annotation:monitor_csv", args=["harbour", "annotators"]),
    ):
        assert client.get(url).status_code == 404


@pytest.mark.slow
def test_spot_checks_give_the_page_its_error_rate(cast: Cast) -> None:
    item = judged(cast.project, "aab")
    assert "Labels that are wrong" not in words(page(cast.manager, cast.project))
    now = datetime.now(UTC)
    for right in (True, True, True, False):
        Review.objects.create(
            project=cast.project, item=item, kind="spot_check", state="done", reviewer=cast.reviewer,
            right=right, decided_at=now,
        )  # fmt: skip
    assert "Labels that are wrong 25 % 5 % – 70 % · 4 seen again" in words(page(cast.manager, cast.project))

"""What the judging page asks of the database: a fixed number of queries, however large the project is."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotation.models.project import Project
from annotation.models.work import Assignment
from tests import cast, factories
from tests.annotation.many_items import many_pair_items

pytestmark = pytest.mark.django_db

# Of a signed-in annotator in the middle of their work. A number that rises here rises for everybody, all day;
# one that depends on the number of items or criteria is a mistake. Two of an answer are a savepoint, which
# is a transaction outside tests.
PAGE = 12
ANSWER_AND_NEXT = 13
PACE = 1  # once there are answers enough for a pace, the status tells it; asked for twice a minute
CHANGED_ANSWER = 13
DRAFT = 11
SKIP_AND_NEXT = 22


class AtWork:
    """An annotator with one answer given, an item on the screen and one behind it."""

    def __init__(self, items: int, criteria: int) -> None:
        names = [f"criterion {number}" for number in range(criteria)]
        self.project: Project = factories.project(
            criteria=[{"name": name, "description": ""} for name in names]
        )
        factories.guideline(self.project)
        many_pair_items(self.project, items)
        self.person = factories.user()
        cast.member(self.person, self.project, cast.Role.ANNOTATOR)
        self.client: Client = cast.browser(self.person)
        self.address = f"/p/{self.project.slug}/judge/"
        self.client.get(self.address)
        self.answer()

    def held(self) -> list[Assignment]:
        mine = Assignment.objects.filter(annotator=self.person, state="open")
        return sorted(mine, key=lambda one: (one.shown_at is None, one.pk))

    def answer(self) -> int:
        shown, waiting = self.held()
        form = {f"choice-{number}": "a" for number in range(len(self.project.criteria))}
        form |= {"assignment": shown.pk, "key": f"key-{shown.pk}", "guideline": "1", "seconds": "2"}
        headers = {"Laurel-Fetch": "1", "Laurel-Shown": str(waiting.pk)}
        with CaptureQueriesContext(connection) as asked:
            page = self.client.post(self.address, form, headers=headers)
        assert page.status_code == 200
        assert page.headers["Laurel-Current"] == str(waiting.pk)
        assert b'id="ahead"' in page.content
        return len(asked)

    def count(self, ask: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as asked:
            ask()
        return len(asked)

    def look(self) -> int:
        return self.count(lambda: self.client.get(self.address))

    def draft(self, comment: str, version: int) -> int:
        form = {"assignment": self.held()[0].pk, "comment": comment, "draft_version": version}
        return self.count(
            lambda: self.client.post(f"{self.address}draft/", form, headers={"Laurel-Fetch": "1"})
        )

    def skip(self) -> int:
        shown, waiting = self.held()
        headers = {"Laurel-Fetch": "1", "Laurel-Shown": str(waiting.pk)}
        return self.count(
            lambda: self.client.post(f"{self.address}skip/", {"assignment": shown.pk}, headers=headers)
        )

    def change(self) -> int:
        last = Assignment.objects.filter(annotator=self.person, state="done").latest("finished_at")
        seen = last.judgments.get(live=True)
        form = {f"choice-{number}": "b" for number in range(len(self.project.criteria))}
        form |= {"assignment": last.pk, "key": f"change-{seen.pk}", "guideline": "1", "replaces": seen.pk}
        headers = {"Laurel-Fetch": "1", "Laurel-Shown": str(self.held()[0].pk)}
        asked = self.count(lambda: self.client.post(self.address, form, headers=headers))
        assert last.judgments.get(live=True).supersedes == seen
        return asked


@pytest.mark.slow
@pytest.mark.parametrize("items", [10, 1_000])
@pytest.mark.parametrize("criteria", [1, 3])
def test_the_work_costs_the_same_however_much_there_is(items: int, criteria: int) -> None:
    at_work = AtWork(items, criteria)
    assert at_work.look() == PAGE
    assert at_work.answer() == ANSWER_AND_NEXT
    assert at_work.draft("half a", 0) == DRAFT
    assert at_work.draft("half a thought", 1) == DRAFT
    assert at_work.skip() == SKIP_AND_NEXT
    assert at_work.answer() == ANSWER_AND_NEXT + PACE
    assert at_work.change() == CHANGED_ANSWER

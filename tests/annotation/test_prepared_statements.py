"""A migration beside a running web server: its prepared statements go on working with one more column."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from accounts.models import Role, User
from annotation import selectors
from annotation.models.project import Project
from annotation.services import assigning, judging
from tests import factories
from tests.annotation.many_items import many_pair_items
from tests.cast import member

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ["annotation_project", "annotation_assignment", "annotation_judgment", "annotation_item"]


def answer_one(project: Project, person: User, number: int) -> None:
    """The statements of the pages that annotators live on."""
    found = selectors.project_for(person, project.slug, roles=selectors.JUDGES)
    work = assigning.hand_out(project=found, annotator=person)
    assert work.current is not None
    selectors.answered_in(person, project.slug, work.current.pk)
    judging.submit(
        assignment_id=work.current.pk,
        annotator=person,
        answers=judging.pairwise(project, "a"),
        idempotency_key=f"key {number}",
        go_on_in=found,
    )


@pytest.fixture
def columns_from_the_future() -> Iterator[Callable[[], None]]:
    """Adds a column to each table, from a connection of its own as a migration has one."""
    migration = connection.copy()

    def change(change: str) -> None:
        with migration.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} {change}")

    yield lambda: change("ADD COLUMN from_the_future int")
    change("DROP COLUMN IF EXISTS from_the_future")
    migration.close()


def test_a_new_column_disturbs_nobody(
    columns_from_the_future: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, person = factories.project("harbour"), factories.user()
    member(person, project, Role.ANNOTATOR)
    many_pair_items(project, 10)
    monkeypatch.setattr(connection.connection, "prepare_threshold", 0)
    answer_one(project, person, 0)
    columns_from_the_future()
    answer_one(project, person, 1)
    assert person.judgments.count() == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(statement, ' ') FROM pg_prepared_statements")
        prepared = cursor.fetchone()[0]
    assert [table for table in TABLES if table not in prepared] == []

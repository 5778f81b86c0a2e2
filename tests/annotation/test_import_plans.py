"""How a large import is planned: no table is gone through once for every line of the file.

What an import adds is in no statistics before it ends. After one that failed and was vacuumed away they may
say that a table is as good as empty, and PostgreSQL would join it by nested loops.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from annotation.services import import_merge
from tests import factories
from tests.annotation.import_rows import bring, row

pytestmark = pytest.mark.django_db


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def joined_by_loops(plan: dict[str, Any]) -> list[str]:
    """What stands inside the nested loops of a plan, rows out of a value on the spot apart."""
    loops = [node for node in nodes(plan) if node["Node Type"] == "Nested Loop"]
    inside = [loop["Plans"][-1]["Node Type"] for loop in loops]
    return [kind for kind in inside if kind != "Function Scan"]


@pytest.mark.parametrize(("lines", "large"), [(5, True), (2, False)])
def test_only_a_small_import_is_joined_by_loops(
    monkeypatch: pytest.MonkeyPatch, lines: int, large: bool
) -> None:
    monkeypatch.setattr(import_merge, "MANY_ROWS", 3)
    project = factories.project()
    inserted, loops, settings = [], [], set()

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO" in sql and ("stage_" in sql or "merged" in sql):
            with connection.connection.cursor() as cursor:
                cursor.execute("SHOW enable_nestloop")
                settings.add(cursor.fetchone()[0])
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                loops.extend(joined_by_loops(cursor.fetchone()[0][0]["Plan"]))
            inserted.append(sql.split("INSERT INTO ")[1].split()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        assert bring(project, *[row(n, ("w1", "a"), ("w2", "tie")) for n in range(lines)]).applied
    assert {"annotation_item", "annotation_itemresponse", "annotation_answer"} <= set(inserted)
    assert settings == ({"off"} if large else {"on"})
    if large:
        assert loops == []
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        assert cursor.fetchone() == ("on",), "whatever comes after the import is planned as ever"

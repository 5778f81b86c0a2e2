"""Time of a claim in a project with a million items, and the database's plan for it.

python -m benchmarks.annotate.claim [--data FOLDER] [--items 1000000] [--answered 20000]

Fills the project on first use (minutes, and 3 GB); writes claim.csv and claim-plan.txt.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from benchmarks.annotate import stage

TURNS = 300
GOLD = 200

# Somebody has answered the whole front of the queue, and every one of these items still has free slots.
_ANSWERED = """
    WITH front AS (
        SELECT id, row_number() OVER (ORDER BY priority DESC, shuffle) AS place FROM annotation_item
        WHERE project_id = %(project)s AND NOT is_gold ORDER BY priority DESC, shuffle LIMIT %(count)s
    ), done AS (
        INSERT INTO annotation_assignment (item_id, project_id, annotator_id, state, surplus, repeat,
            display_order, note, lease_expires_at, created_at, shown_at, finished_at)
        SELECT id, %(project)s, %(annotator)s, 'done', false, false, '{0,1}', '', now(), now(), now(),
            now() - interval '1 day' + place * interval '1 second' FROM front
        RETURNING id, item_id, finished_at
    ), judged AS (
        INSERT INTO annotation_judgment (item_id, annotator_id, assignment_id, idempotency_key, body_hash,
            source, live, repeat, display_order, reasons, comment, spans, judged_at, created_at)
        SELECT item_id, %(annotator)s, id, 'bench-' || id, '', 'browser', true, false, '{0,1}', '{}', '',
            '[]', finished_at, now() FROM done
        RETURNING item_id
    )
    UPDATE annotation_item SET slots_left = slots_left - 1 WHERE id IN (SELECT item_id FROM judged)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "laurel-benchmark-claim")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--answered", type=int, default=20_000)
    options = parser.parse_args()
    stage.open_laurel(options.data)
    project = large_project(options.items)
    veteran = somebody()
    answer_the_front(project, veteran, options.answered)
    rows = [
        *measured(project, "somebody new, each time", lambda _: somebody()),
        *measured(project, f"one who answered the first {options.answered}", lambda _: veteran),
        *measured(
            project,
            "the same, from the start of the queue (before)",
            lambda _: veteran,
            statement="start",
            turns=20,
        ),
        *at_once(project, 50),
        *used_up(),
    ]
    stage.write("claim.csv", rows)
    print(*(stage.in_words(row) for row in rows), sep="\n")
    (stage.HERE / "claim-plan.txt").write_text(plan(project, veteran))


def large_project(items: int) -> Any:
    from annotation.models.project import Project

    found = Project.objects.filter(slug=f"claim-{items}").first()
    if found is None:
        found = Project.objects.create(slug=f"claim-{items}", name="Claims", overlap=3, gold_rate=0.0)
        stage.fill(found, items, gold=GOLD)
    return found


def somebody() -> Any:
    from accounts.models import User

    return User.objects.create_user(f"person-{time.time_ns()}")


def answer_the_front(project: Any, person: Any, count: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, {"project": project.pk, "annotator": person.pk, "count": count})
        cursor.execute("VACUUM ANALYZE annotation_item, annotation_assignment, annotation_judgment")


def measured(
    project: Any, who: str, person: Callable[[int], Any], *, statement: str = "", turns: int = TURNS
) -> list[dict[str, Any]]:
    """The claim as a whole (`hand_out` with its transaction), and what finds and takes the slot."""
    load = stage.load_average()
    whole, alone = [], []
    for turn in range(turns):
        one = person(turn)
        alone.append(claim_alone(project, one, statement))
        if not statement:
            whole.append(hand_out(project, one))
    rows = [{"what": "claim", "who": who, "n": len(alone), **stage.spread(alone), "load": load}]
    if whole:
        rows.append({"what": "hand_out", "who": who, "n": len(whole), **stage.spread(whole), "load": load})
    return rows


def claim_alone(project: Any, person: Any, statement: str = "") -> float:
    """Seconds of the statement; the slot goes back."""
    from django.db import transaction

    with transaction.atomic():
        begun = time.perf_counter()
        run_claim(project, person, statement)
        seconds = time.perf_counter() - begun
        transaction.set_rollback(True)
    return seconds


def run_claim(project: Any, person: Any, statement: str = "", prefix: str = "") -> list[Any]:
    from django.db import connection

    from annotation.services import slots

    sql = slots._CLAIM_ONWARD
    if statement == "start":
        sql = slots._TAKE.format(found=slots._FIRST.format(where="NOT i.is_gold"))
    values = {"project": project.pk, "annotator": person.pk}
    with connection.cursor() as cursor:
        cursor.execute(prefix + sql, values)
        found = list(cursor.fetchall())
        if not found and not statement:
            cursor.execute(slots._CLAIM_REST, values)
            found = list(cursor.fetchall())
    return found


def hand_out(project: Any, person: Any) -> float:
    """Seconds until the next item is theirs; it is answered afterwards, outside the measure."""
    from annotation.services import assigning, judging

    begun = time.perf_counter()
    found = assigning.hand_out(project=project, annotator=person, ahead=False).current
    seconds = time.perf_counter() - begun
    assert found is not None
    judging.submit(
        assignment_id=found.pk,
        annotator=person,
        answers=judging.pairwise(project, "a"),
        idempotency_key=f"claim-{found.pk}",
    )
    return seconds


def at_once(project: Any, people: int, turns: int = 10) -> list[dict[str, Any]]:
    """So many threads, each with a connection of its own, that claim and answer without a pause."""
    from django.db import connections

    start, load = Barrier(people), stage.load_average()

    def work(person: Any) -> list[float]:
        try:
            claim_alone(project, person)  # the connection is made
            start.wait()
            return [
                seconds
                for _ in range(turns)
                for seconds in (claim_alone(project, person), hand_out(project, person))
            ]
        finally:
            connections.close_all()

    everybody = [somebody() for _ in range(people)]
    with ThreadPoolExecutor(people) as pool:
        found = list(pool.map(work, everybody))
    rows = []
    for what, first in (("claim", 0), ("hand_out", 1)):
        seconds = [one for mine in found for one in mine[first::2]]
        rows.append(
            {
                "what": what,
                "who": f"{people} at once",
                "n": len(seconds),
                **stage.spread(seconds),
                "load": load,
            }
        )
    return rows


def used_up(items: int = 20_000) -> list[dict[str, Any]]:
    """What it costs to learn that nothing is left, for one person who has answered a whole project alone."""
    from annotation.models.project import Project
    from annotation.services import assigning

    slug = f"used-up-{items}"
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        project = Project.objects.create(slug=slug, name="Used up", overlap=100, gold_rate=0.0)
        stage.fill(project, items)
    person, load, seconds = somebody(), stage.load_average(), []
    answer_the_front(project, person, items)
    for _ in range(10):
        begun = time.perf_counter()
        assert assigning.hand_out(project=project, annotator=person).current is None
        seconds.append(time.perf_counter() - begun)
    who = f"one who answered all {items}: nothing left"
    return [{"what": "hand_out", "who": who, "n": len(seconds), **stage.spread(seconds), "load": load}]


def plan(project: Any, person: Any) -> str:
    from django.db import transaction

    with transaction.atomic():
        rows = run_claim(project, person, prefix="EXPLAIN (ANALYZE, BUFFERS) ")
        transaction.set_rollback(True)
    return "\n".join(line for (line,) in rows) + "\n"


if __name__ == "__main__":
    main()

"""Agreement of a project with a million votes, from the database on: seconds and memory.

python -m benchmarks.agreement.database [--data FOLDER] [--items 200000] [--people 1000]

Fills the project on first use (minutes, and 1 GB): five votes an item, twelve categories of prompts, three
groups of people, half a year. Writes database.csv and database-plan.txt.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.annotate import stage

HERE = Path(__file__).resolve().parent
SLUG = "million-votes"
GROUPS = ("crowd", "students", "teachers")

_PEOPLE = """
    INSERT INTO accounts_user (username, password, is_superuser, first_name, last_name, email, is_staff,
        is_active, date_joined, origin, display_name)
    SELECT 'votes-' || g, '', false, '', '', '', false, false, now(), 'simulated', ''
    FROM generate_series(1, %(people)s) g
"""
_MEMBERS = """
    INSERT INTO accounts_membership (user_id, project_id, role, "group", created_at)
    SELECT id, %(project)s, 'annotator', (%(groups)s::text[])[id %% 3 + 1], now()
    FROM accounts_user WHERE username LIKE 'votes-%%'
"""
_CATEGORIES = """
    UPDATE annotation_prompt SET metadata = jsonb_build_object('category', 'category ' || id / 100 %% 12)
    WHERE project_id = %(project)s
"""
# Each item's five people stand at equal distances from one another; seven answers of ten are the item's own.
_JUDGMENTS = """
    INSERT INTO annotation_judgment (item_id, annotator_id, idempotency_key, body_hash, source, live, repeat,
        reasons, comment, spans, judged_at, created_at)
    SELECT i.id, p.ids[(hashint8(i.id)::bigint + 2147483648 + n * (%(people)s / 5)) %% %(people)s + 1],
        'votes-' || i.id || '-' || n, '', 'simulated', true, false, '{}', '', '[]',
        '2026-01-01'::timestamptz + (i.id %% 180) * interval '1 day' + n * interval '1 hour', now()
    FROM annotation_item i, generate_series(1, 5) n,
        (SELECT array_agg(id ORDER BY id) AS ids FROM accounts_user WHERE username LIKE 'votes-%%') p
    WHERE i.project_id = %(project)s
"""
_ANSWERS = """
    INSERT INTO annotation_answer (judgment_id, criterion, choice)
    SELECT j.id, 'overall', (ARRAY['a', 'b', 'tie'])[
        CASE WHEN random() < 0.7 THEN j.item_id %% 3 ELSE floor(random() * 3)::int END + 1]
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id WHERE i.project_id = %(project)s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "laurel-benchmark-votes")
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    stage.open_laurel(options.data)
    project = project_of(options.items, options.people)
    if options.one:
        print(json.dumps(measure(STEPS[options.one], project)))
        return
    (HERE / "database-plan.txt").write_text(plan(project))
    with (HERE / "database.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "seconds", "cpu_seconds", "peak_mb"], lineterminator="\n")
        writer.writeheader()
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.agreement.database", "--data", str(options.data)]
            done = subprocess.run([*command, "--one", step], check=True, capture_output=True, text=True)
            row = {"step": step, **json.loads(done.stdout.splitlines()[-1])}
            print(row)
            writer.writerow(row)


def project_of(items: int, people: int) -> Any:
    """The project, filled where it is new."""
    from django.db import connection

    from annotation.models.project import Project

    found = Project.objects.filter(slug=SLUG).first()
    if found is not None:
        return found
    project = Project.objects.create(slug=SLUG, name="A million votes", overlap=5)
    stage.fill(project, items)
    values = {"project": project.pk, "people": people, "groups": list(GROUPS)}
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger notes a million changes
        for statement in (_PEOPLE, _MEMBERS, _CATEGORIES, _JUDGMENTS, _ANSWERS):
            cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
    return project


def measure(step: Callable[[Any], object], project: Any) -> dict[str, float]:
    """In this process: once for memory, Python and libraries included, then for time, best of three.

    cpu_seconds: of this process; what is left of the seconds is the database, and whatever else ran.
    """
    step(project)
    status = Path("/proc/self/status").read_text()
    seconds, processor = [], []
    for _ in range(3):
        start, began = time.perf_counter(), time.process_time()
        step(project)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - began)
    return {
        "seconds": round(min(seconds), 2),
        "cpu_seconds": round(min(processor), 2),
        "peak_mb": int(status.split("VmHWM:")[1].split()[0]) // 1000,
    }


def plan(project: Any) -> str:
    from django.db import connection
    from django.utils import timezone

    from annotation import rating_arrays

    values = {
        "project": project.pk,
        "criterion": project.main_criterion,
        "zone": timezone.get_current_timezone_name(),
    }
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {rating_arrays.votes_query(project)}", values)
        return "\n".join(line for (line,) in cursor.fetchall()) + "\n"


def _readings(project: Any) -> Any:
    from annotation import rating_arrays

    return rating_arrays.readings_of(project, project.main_criterion)


def _over_items(project: Any) -> object:
    """What the page's first lines need: every coefficient with a thousand draws of items."""
    from annotation.agreement.report import agreement
    from annotation.services import agreeing

    counts = _readings(project).pairs.counts()
    return agreement(counts, rng=agreeing.new_rng(), draws=1000, levels=agreeing.LEVELS)


def _agreement(project: Any) -> object:
    from annotation.services.agreeing import agreement_of

    return agreement_of(project=project)


def _parts(project: Any) -> object:
    from annotation.services.agreement_parts import agreement_in_parts

    return [one.as_json() for one in agreement_in_parts(project=project)]


STEPS: dict[str, Callable[[Any], object]] = {
    "nothing": lambda _: None,
    "read the votes": _readings,
    "read; all coefficients; 1000 draws of items": _over_items,
    "read; all coefficients; 1000 draws of items and of people": _agreement,
    "all of it and over time, by category, by group, by two people": _parts,
}


if __name__ == "__main__":
    main()

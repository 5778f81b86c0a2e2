"""What a worker does for those pages, each in a process of its own, for its seconds and its memory.

python -m benchmarks.monitor.jobs DATA SLUG JOB      prints one line of JSON
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.annotate import stage

BLOCKS, ANSWERS = 10, 25  # of answers with the trigger, and as many without
TABLES = (
    "annotators", "volume", "times", "choices", "agreement", "agreement_over_time", "agreement_by_category",
    "agreement_by_group", "pairs_of_annotators", "methods", "items",
)  # fmt: skip


def main() -> None:
    data, slug, job = sys.argv[1:]
    stage.open_laurel(Path(data))
    from annotation.models.project import Project

    project = Project.objects.get(slug=slug)
    name, _, rest = job.partition(":")
    load = stage.load_average()
    found = JOBS[name](project, rest)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": round(peak), "load": load} | found))


def timed(work: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
    begun, worked = time.perf_counter(), time.process_time()
    work(*arguments, **named)
    return {
        "seconds": round(time.perf_counter() - begun, 3),
        "cpu_seconds": round(time.process_time() - worked, 3),
    }


def nothing(_project: Any, _rest: str) -> dict[str, Any]:
    """What the process takes before it does anything."""
    from annotation.services import reporting  # noqa: F401

    return {"seconds": 0.0, "cpu_seconds": 0.0}


def refit(project: Any, method: str) -> dict[str, Any]:
    from annotation.services import aggregating

    project.aggregation = method
    project.save()
    return timed(aggregating.refit, project=project)


def report(project: Any, _rest: str) -> dict[str, Any]:
    from annotation.services import reporting

    return timed(reporting.make, project=project)


def first_report(project: Any, rest: str) -> dict[str, Any]:
    """The ways of making labels are compared too, as they are again with every tenth more votes."""
    from annotation.models.quality import QualityReport

    QualityReport.objects.filter(project=project).delete()
    return report(project, rest)


def refresh(project: Any, count: str) -> dict[str, Any]:
    """Labels after so many new answers, each by somebody new."""
    from annotation.services import aggregating

    aggregating.refresh(project=project)
    for _ in range(int(count)):
        answer(project, somebody())
    return timed(aggregating.refresh, project=project)


def download(project: Any, table: str) -> dict[str, Any]:
    from accounts.models import User
    from annotation.views.monitor_tables import TABLES as ROWS

    manager = User.objects.get(memberships__project=project, memberships__role="manager")
    return timed(lambda: sum(1 for _ in ROWS[table](project, manager, "manager")))


def trigger(project: Any, _rest: str) -> dict[str, Any]:
    """The median answer with the trigger that notes a changed item, and without, in turns."""
    from django.db import connection

    from annotation.services import aggregating

    person, taken = somebody(), {"DISABLE": [0.0] * 0, "ENABLE": [0.0] * 0}
    answer(project, person)
    try:
        for turn in range(2 * BLOCKS):
            step = ("DISABLE", "ENABLE")[(turn + turn // 2) % 2]  # off on on off
            with connection.cursor() as cursor:
                for name in ("judgment_changes_item", "judgment_ends_on_item"):
                    cursor.execute(f"ALTER TABLE annotation_judgment {step} TRIGGER {name}")
            answer(project, person)
            taken[step] += [answer(project, person) for _ in range(ANSWERS)]
    finally:
        with connection.cursor() as cursor:
            for name in ("judgment_changes_item", "judgment_ends_on_item"):
                cursor.execute(f"ALTER TABLE annotation_judgment ENABLE TRIGGER {name}")
        aggregating.touch_annotator(project=project, annotator_id=person.pk)
    without, with_it = (sorted(taken[step])[len(taken[step]) // 2] for step in ("DISABLE", "ENABLE"))
    print(f"an answer: {1000 * with_it:.2f} ms, without the trigger {1000 * without:.2f}", file=sys.stderr)
    return {"seconds": round(with_it, 5), "ratio": round(with_it / without, 3)}


def somebody() -> Any:
    from accounts.models import User

    return User.objects.create_user(f"newcomer-{time.time_ns()}")


def answer(project: Any, person: Any) -> float:
    """Seconds of `judging.submit`; the item is handed out before, outside the measure."""
    from annotation.services import assigning, judging

    found = assigning.hand_out(project=project, annotator=person, ahead=False).current
    assert found is not None
    begun = time.perf_counter()
    judging.submit(
        assignment_id=found.pk,
        annotator=person,
        answers=judging.pairwise(project, "a"),
        idempotency_key=f"monitor-{found.pk}",
    )
    return time.perf_counter() - begun


JOBS = {
    "nothing": nothing,
    "refit": refit,
    "report": report,
    "first_report": first_report,
    "refresh": refresh,
    "download": download,
    "trigger": trigger,
}

if __name__ == "__main__":
    main()

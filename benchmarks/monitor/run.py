"""Pages of quality over a million judgments by a thousand people: their times, and their queries' plans.

python -m benchmarks.monitor.run [--data FOLDER] [--items 200000] [--only pages|jobs]

Fills the project on first use (a minute or two, and 2 GB); writes results.csv, jobs.csv and plans.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.annotate import stage
from benchmarks.monitor import jobs, pages
from benchmarks.monitor.fill import ITEMS, OVERLAP, fill

HERE = Path(__file__).resolve().parent
LIMIT_MS = 300
BUSY = ("monitor", "monitor, asked again, nothing new (204)")
METHODS = ("vote-shares", "dawid-skene", "competence")  # the last one stays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "laurel-benchmark-monitor")
    parser.add_argument("--items", type=int, default=ITEMS, help="five judgments each")
    parser.add_argument("--only", choices=("pages", "jobs"))
    options = parser.parse_args()
    os.environ["LAUREL_PROCESS"] = "web"
    stage.open_laurel(options.data)
    from config import preparation

    preparation.prepare(sample=False)  # the names of static files, as the server has them
    project, manager = large_project(options.items)
    if options.only != "pages":
        worked = [job(options.data, project, *each) for each in every_job()]
        stage.write("jobs.csv", worked, folder=HERE)
    if options.only != "jobs":
        time_pages(options.data, project, manager)


def large_project(items: int) -> tuple[Any, Any]:
    from accounts.models import Membership, User
    from annotation.models.project import Project

    slug = f"million-{items}"
    manager, _new = User.objects.get_or_create(username=f"{slug}s-manager")
    project, new = Project.objects.get_or_create(
        slug=slug, defaults={"name": "A million", "overlap": OVERLAP, "gold_rate": 0.02, "repeat_rate": 0.01}
    )
    if new:
        Membership.objects.create(user=manager, project=project, role="manager")
        fill(project, manager, items=items)
    return project, manager


def every_job() -> list[tuple[str, str]]:
    """(in words, what `jobs` calls it), in the order in which one needs the other."""
    return [
        ("nothing", "nothing"),
        *((f"refit: {method}", f"refit:{method}") for method in METHODS),
        ("report, ways compared", "first_report"),
        ("report", "report"),
        ("refresh after 1 answer", "refresh:1"),
        ("refresh after 100 answers", "refresh:100"),
        ("an answer, with the trigger", "trigger"),
        ("report", "report"),
        *((f"{table}.csv", f"download:{table}") for table in jobs.TABLES),
    ]


def job(data: Path, project: Any, name: str, call: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.monitor.jobs", str(data), project.slug, call]
    said = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, env={**os.environ, "LAUREL_PROCESS": "worker"}
    )
    found = json.loads(said.stdout.splitlines()[-1])
    row = {key: found.get(key, "") for key in ("seconds", "cpu_seconds", "peak_mb", "ratio", "load")}
    print(stage.in_words({"what": name, **row}), flush=True)
    return {"what": name, **row}


def time_pages(data: Path, project: Any, manager: Any) -> None:
    from django.test import Client

    from annotation.models.quality import ChangedItem
    from annotation.models.standing import Standing

    paused = Standing.objects.filter(project=project).order_by("pk").first()
    assert paused is not None
    clients = {"manager": Client(SERVER_NAME="localhost"), "paused": Client(SERVER_NAME="localhost")}
    clients["manager"].force_login(manager)
    clients["paused"].force_login(paused.annotator)
    rows, plans = [], []
    every = pages.pages(project)
    for page in every:
        rows.append(one_page(project, page, clients[page.who], plans))
    changed = ChangedItem.objects.create(project=project, item=project.items.first())
    for page in every:
        if page.name in BUSY:
            busy = pages.Page(f"people at work: {page.name}", page.path, page.holds, page.poll)
            rows.append(one_page(project, busy, clients["manager"], plans))
    changed.delete()
    stage.write("results.csv", rows, folder=HERE)
    (HERE / "plans.txt").write_text("\n".join(plans))


def one_page(project: Any, page: pages.Page, client: Any, plans: list[str]) -> dict[str, Any]:
    row = pages.measured(project, page, client)
    slowest = row.pop("slowest")
    row["within"] = "yes" if row["p50_ms"] < LIMIT_MS else "NO"
    print(stage.in_words(row), flush=True)
    plans += [f"=== {page.name}\n", *(pages.explained(one) for one in slowest)]
    return row


if __name__ == "__main__":
    main()

"""The sample project: our own prompts, responses, guidelines and gold."""

import json
from pathlib import Path

from django.db import transaction

from accounts.models import User
from annotation.interchange.jsonl import read_jsonl
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.services import gold, importing, projects

FOLDER = Path(__file__).resolve().parent.parent / "sample"
SLUG = "sample"
NAME = "Sample: which answer is better?"
OVERLAP = 7  # enough slots that twelve simulated annotators can give two thousand judgments


class BrokenSample(RuntimeError):
    """The sample files that come with Laurel are damaged."""


@transaction.atomic
def load_sample(*, manager: User | None = None) -> tuple[Project, bool]:
    """The sample project, and whether it was created now. Loading it again changes nothing."""
    project = Project.objects.filter(slug=SLUG).first()
    if project is not None:
        return project, False
    project = projects.create(slug=SLUG, name=NAME, overlap=OVERLAP, manager=manager)
    projects.publish_guidelines(project=project, text=(FOLDER / "guidelines.md").read_text(), actor=manager)
    for path in sorted(FOLDER.glob("*.jsonl")):
        with path.open("rb") as stream:
            report = importing.import_records(project=project, records=read_jsonl(stream), actor=manager)
        if not report.applied:
            raise BrokenSample(f"{path.name}: {report.errors[0]}")
        _make_gold(project, path, manager)
    return project, True


def _make_gold(project: Project, path: Path, manager: User | None) -> None:
    for line in path.read_text().splitlines():
        stated = json.loads(line)["metadata"].get("gold")
        if stated is None:
            continue
        better, worse = (
            Response.objects.get(prompt__project=project, external_id=stated[side])
            for side in ("better", "worse")
        )
        gold.make_gold(project=project, better=better, worse=worse, reason=stated["reason"], actor=manager)

"""Selections of large pools on a device that is set: the same batch, or a note and the same batch."""

from pathlib import Path

import pytest

from activelearning.models import LoopPolicy, SelectionBatch
from activelearning.services import on_device, selecting
from annotation.models.project import Project
from tests.activelearning import ranked, scored

pytestmark = pytest.mark.slow  # a child that loads torch


@pytest.fixture(autouse=True)
def _large_pools(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools of a test count as large; each has its folders and draws for itself."""
    scored.own_folders(settings, tmp_path)
    monkeypatch.setattr(on_device, "MANY", 10)


def world(kind: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = scored.candidates(8) if kind == Project.Kind.PAIRWISE else ranked.world(prompts=12)
    LoopPolicy.objects.create(project=project, audit_pairs=0, repeat_share=0.0)
    scored.with_no_test_prompts(monkeypatch)
    scored.embed_as(monkeypatch, scored.anything)
    return project


def chosen(project: Project) -> tuple[list[tuple[int, int, str, float | None]], list[str]]:
    batch = selecting.select(project=project, n=20, seed=1)
    assert batch is not None
    rows = batch.pairs.order_by("rank").values_list("response_a", "response_b", "reason", "propensity")
    found = list(rows), batch.notes
    SelectionBatch.objects.all().delete()
    project.items.filter(origin__in=["selected", "random"]).delete()
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [Project.Kind.PAIRWISE, Project.Kind.RANKING])
def test_a_device_chooses_what_the_processor_would(
    kind: str, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world(kind, monkeypatch)
    here, notes = chosen(project)
    assert len(here) > 10
    settings.LAUREL_SELECTION_DEVICE = "cpu:0"  # torch, on the processor
    assert chosen(project) == (here, notes)
    settings.LAUREL_SELECTION_DEVICE = "cuda:99"
    same, said = chosen(project)
    assert same == here
    added = [note for note in said if note not in notes]
    assert len(added) == 1
    assert added[0].startswith("Chosen on the processor: cuda:99 could not be used (")

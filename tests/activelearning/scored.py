"""A project with an ensemble whose scores a test makes up: no model is trained."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.db import connection

from activelearning.acquisition.wording import Said, plain
from activelearning.models import SelectionBatch
from activelearning.services import choosing
from annotation.models.content import Prompt, Response
from annotation.models.project import Project
from annotation.services import items, snapshotting
from rewardmodel.models import Ensemble
from rewardmodel.services import embedding, scoring
from rewardmodel.services.scoring import ScoredResponses
from tests import factories
from tests.annotation.import_rows import bring, row

MEMBERS, DIMENSIONS = 8, 6


def same_ids() -> None:
    """Number prompts and responses alike whatever ran before: splits and made-up scores go by their ids."""
    with connection.cursor() as cursor:
        for model in (Prompt, Response):
            table = model._meta.db_table
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 10000000)", [table])


def candidates(prompts: int, responses: int = 9, **fields: object) -> Project:
    """Prompts whose pairs are candidates only: nine responses each."""
    project = factories.project(**fields)
    many = [{"text": f"Answer {n}."} for n in range(responses)]
    assert bring(project, *(row(n, responses=many) for n in range(prompts))).applied
    return project


def judge_some(project: Project, pairs: int) -> None:
    """Votes on the first pair of each of the first prompts."""
    ids = [
        tuple(prompt.responses.order_by("pk").values_list("pk", flat=True)[:2])
        for prompt in project.prompts.order_by("pk")[:pairs]
    ]
    origins = ["imported"] * len(ids)
    for item in items.queue_pairs(project=project, pairs=ids, priority=0, origins=origins):
        factories.judgment(item, factories.user(), "a")


def with_ensemble(project: Project) -> Ensemble:
    """An active ensemble on a real snapshot of the project's votes."""
    return factories.ensemble(factories.run(project, snapshot=snapshotting.create(project=project)))


def score_by(
    monkeypatch: pytest.MonkeyPatch, rewards: Callable[[Response, np.random.Generator], np.ndarray]
) -> list[int]:
    """Let `scoring.score` answer with made-up rewards; the list gets one length per call."""
    calls: list[int] = []

    def score(*, ensemble: Ensemble, response_ids: list[int]) -> ScoredResponses:
        calls.append(len(response_ids))
        found = Response.objects.in_bulk(response_ids)
        rows, features = [], []
        for response_id in response_ids:
            rng = np.random.default_rng(response_id)
            rows.append(rewards(found[response_id], rng))
            features.append(rng.normal(size=DIMENSIONS))
        return ScoredResponses(
            list(response_ids), np.array(rows, np.float32), np.array(features, np.float32), 1.0, -1.0
        )

    monkeypatch.setattr(scoring, "score", score)
    return calls


def embed_as(
    monkeypatch: pytest.MonkeyPatch, features: Callable[[Response], np.ndarray]
) -> list[float | None]:
    """Let `embedding.embed_responses` answer with made-up features; the list gets each call's seconds."""
    calls: list[float | None] = []

    def embed_responses(response_ids: list[int], *, seconds: float | None = None) -> np.ndarray:
        calls.append(seconds)
        found = Response.objects.in_bulk(response_ids)
        return np.array([features(found[pk]) for pk in response_ids], np.float32)

    monkeypatch.setattr(embedding, "embed_responses", embed_responses)
    return calls


def anything(response: Response) -> np.ndarray:
    """Features by the id alone."""
    return np.random.default_rng(response.pk).normal(size=DIMENSIONS)


def unsure(_: Response, rng: np.random.Generator) -> np.ndarray:
    """Every member has its own opinion."""
    return rng.normal(size=MEMBERS)


def own_folders(settings: object, folder: Path) -> None:
    settings.LAUREL_DATA_DIR = folder
    settings.LAUREL_SNAPSHOT_DIR = folder / "snapshots"


def with_no_test_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every prompt is one that a score may choose from, whatever the ensemble was trained on."""
    monkeypatch.setattr(choosing, "read_splits", lambda _: {})
    monkeypatch.setattr(choosing, "assign_splits", lambda ids, _: dict.fromkeys(ids, "train"))


def assert_said_in_parts(batch: SelectionBatch) -> None:
    """What the pages translate is what the columns in English say, of the batch and of every pick."""
    assert [str(Said(**one)) for one in batch.said] == batch.notes
    for pair in batch.pairs.all():
        assert pair.explanation == plain(Said(**one) for one in pair.said) != ""

"""Deployment prompts: added once each, refused by line, and what the choice of pairs makes of them."""

import dataclasses
import gzip
import json
from collections import Counter
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.pool import CandidatePairs, ResponsePool
from activelearning.acquisition.wording import Said, plain
from activelearning.models import DeploymentPrompt
from activelearning.services import aiming, deploying, selecting
from annotation.models.content import Response
from annotation.models.project import Project
from rewardmodel.services import embedding
from tests import factories
from tests.activelearning import scored

pytestmark = pytest.mark.django_db
TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


# --- adding ----------------------------------------------------------------------------------------


def test_prompts_are_added_once_whatever_they_are_written_as() -> None:
    project = factories.project()
    texts = ["Why is the sky blue?", TURNS, [{"role": "user", "content": "Why is the sky blue?"}]]
    found = deploying.add_prompts(project=project, prompts=texts)
    assert (found.read, found.added, found.total) == (3, 2, 2)
    assert deploying.add_prompts(project=project, prompts=[TURNS, "New?"]).added == 1
    assert [row.messages for row in project.deployment_prompts.order_by("pk")][1] == TURNS
    pooled = factories.prompt(project, "Why is the sky blue?")
    assert project.deployment_prompts.filter(key=pooled.key).exists()
    assert deploying.add_prompts(project=factories.project(), prompts=["New?"]).added == 1


def test_a_file_may_hold_texts_turns_objects_and_empty_lines() -> None:
    project = factories.project()
    rows = ["One?", TURNS, {"prompt": "Three?", "user": 7}]
    data = b"\n\n".join(json.dumps(row).encode() for row in rows) + b"\n"
    assert deploying.add_file(project=project, stream=BytesIO(data)).added == 3
    found = deploying.add_file(project=project, stream=BytesIO(gzip.compress(data)))
    assert (found.read, found.added, found.total) == (3, 0, 3)


def test_bad_prompts_are_named_by_line_and_nothing_is_added() -> None:
    project = factories.project()
    lines = [
        b'"Good?"',
        b"",
        b"nonsense",
        b'{"question": "?"}',
        b'[{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]',
        b"17",
    ]
    with pytest.raises(deploying.InvalidPrompts, match=r"Line 3: not valid JSON.*3 more are bad") as refused:
        deploying.add_file(project=project, stream=BytesIO(b"\n".join(lines)))
    assert [bad.line for bad in refused.value.errors] == [3, 4, 5, 6]
    assert "must end with the user's" in refused.value.errors[2].message
    with pytest.raises(deploying.InvalidPrompts, match="zip archive"):
        deploying.add_file(project=project, stream=BytesIO(b"PK\x03\x04" + b"0" * 20))
    assert not DeploymentPrompt.objects.exists()


def command(*words: object) -> dict[str, object]:
    out = StringIO()
    call_command("deployment_prompts", *map(str, words), "--json", stdout=out, stderr=StringIO())
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def test_the_command_adds_replaces_and_counts(tmp_path: Path) -> None:
    project = factories.project(slug="harbour")
    (tmp_path / "first.jsonl").write_text('"One?"\n"Two?"\n')
    (tmp_path / "next.jsonl").write_text('"Three?"\n')
    (tmp_path / "bad.jsonl").write_text('"Four?"\n{}\n')
    none = {"project": "harbour", "read": 0, "added": 0, "removed": 0}
    assert command("harbour") == {**none, "total": 0}
    first = command("harbour", tmp_path / "first.jsonl")
    assert first == {"project": "harbour", "read": 2, "added": 2, "removed": 0, "total": 2}
    replaced = command("harbour", tmp_path / "next.jsonl", "--clear")
    assert replaced == {"project": "harbour", "read": 1, "added": 1, "removed": 2, "total": 1}
    with pytest.raises(CommandError, match="Line 2: has no prompt"):
        command("harbour", tmp_path / "bad.jsonl", "--clear")
    assert project.deployment_prompts.count() == 1  # a bad file takes nothing out
    with pytest.raises(CommandError, match="cannot be read"):
        command("harbour", tmp_path / "missing.jsonl")
    assert command("harbour", "--clear") == {**none, "removed": 1, "total": 0}


# --- aiming ----------------------------------------------------------------------------------------


def pool_of(project: Project) -> tuple[ResponsePool, CandidatePairs]:
    rows = Response.objects.filter(prompt__project=project).order_by("pk").values_list("pk", "prompt_id")
    ids, prompts = [str(pk) for pk, _ in rows], [str(prompt) for _, prompt in rows]
    features = np.random.default_rng(1).normal(size=(len(ids), 6)).astype(np.float32)
    pool = ResponsePool(np.array(ids), np.array(prompts), features=features)
    return pool, candidate_pairs(ids, prompts, rng=np.random.default_rng(1))


def leaning(texts: list[str]) -> np.ndarray:
    """Questions with an even number, and all of the deployment, lie on one side, though not quite apart."""
    rng = np.random.default_rng(5)
    side = [1.0 if "there" in text or int(text.split()[1].rstrip("?")) % 2 == 0 else -1.0 for text in texts]
    return np.column_stack([np.array(side) + rng.normal(size=len(texts)), rng.normal(size=(len(texts), 4))])


def aim(project: Project, **options: object) -> aiming.Aim:
    pool, candidates = pool_of(project)
    rng = np.random.default_rng(2)
    return aiming.aim(project=project, pool=pool, candidates=candidates, rng=rng, **options)  # type: ignore[arg-type]


def test_without_deployment_prompts_nothing_is_aimed_at() -> None:
    assert aim(scored.candidates(5)) == aiming.Aim(None)


@pytest.mark.slow
def test_pairs_come_as_often_as_their_prompts_are_like_the_deployment() -> None:
    project = scored.candidates(60, responses=4)
    deploying.add_prompts(project=project, prompts=[f"What is {n} there?" for n in range(80)])
    found = aim(project, embed=leaning)
    assert found.pairs is not None
    assert found.shift is not None
    prompts, of_pair = np.unique(found.pairs.prompts, return_counts=True)
    rows = dict(zip(prompts.tolist(), (of_pair / of_pair.sum()).tolist(), strict=True))
    order = np.unique(pool_of(project)[1].prompts)
    expected = found.shift.weight / found.shift.weight.sum()
    np.testing.assert_allclose([rows.get(pk, 0.0) for pk in order], expected, atol=0.004)
    numbers = {str(one.pk): int(str(one).split()[1].rstrip("?")) for one in project.prompts.all()}
    mass = Counter({0: 0.0, 1: 0.0})
    for pk, share in rows.items():
        mass[numbers[pk] % 2] += share
    assert mass[0] > 0.7
    assert "80 deployment prompts" in str(found.note)
    assert "of 60 prompts count" in str(found.note)
    assert Said(**json.loads(json.dumps(dataclasses.asdict(found.note)))) == found.note


def test_prompts_that_are_the_deployments_own_are_aimed_at_themselves() -> None:
    project = scored.candidates(20, responses=5)
    met = project.prompts.order_by("pk")[3:7]
    deploying.add_prompts(project=project, prompts=[*(one.messages for one in met), "Elsewhere?"])

    def never(_: list[str]) -> np.ndarray:
        raise AssertionError("nothing has to be embedded")

    found = aim(project, embed=never)
    assert found.pairs is not None
    assert set(found.pairs.prompts) == {str(one.pk) for one in met}
    assert len(found.pairs) == 40
    assert "4 deployment prompts that have responses" in str(found.note)


def test_too_few_deployment_prompts_weigh_nothing_and_are_said() -> None:
    project = scored.candidates(20, responses=4)
    deploying.add_prompts(project=project, prompts=["What is 1 there?"])
    found = aim(project, embed=leaning)
    assert found.pairs is not None
    assert len(set(Counter(found.pairs.prompts.tolist()).values())) == 1
    assert str(found.note).startswith("1 deployment prompt is too little")


@pytest.mark.slow
def test_batches_lean_towards_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same project, seed and scores; with deployment prompts more pairs are of prompts like them."""
    project = scored.candidates(60, responses=4)
    scored.judge_some(project, 60)
    scored.with_ensemble(project)
    numbers = {one.pk: int(str(one).split()[1].rstrip("?")) for one in project.prompts.all()}
    even = {pk for pk, number in numbers.items() if number % 2 == 0}

    def score(*, ensemble: object, response_ids: list[int]) -> scored.ScoredResponses:
        """Responses to even questions differ in other directions than those to odd ones."""
        rng = np.random.default_rng(3)
        rows = dict(Response.objects.in_bulk(response_ids))
        features = rng.normal(size=(len(response_ids), 12))
        for place, pk in enumerate(response_ids):
            features[place, slice(6, 12) if rows[pk].prompt_id in even else slice(0, 6)] *= 0.05
        rewards = rng.normal(size=(len(response_ids), scored.MEMBERS))
        return scored.ScoredResponses(
            list(response_ids), rewards.astype(np.float32), features.astype(np.float32), 1.0, -1.0
        )

    monkeypatch.setattr(scored.scoring, "score", score)
    monkeypatch.setattr(embedding, "embed_texts", leaning)
    shares, notes = [], []
    for prompts in ([], [f"What is {n} there?" for n in range(200)]):
        deploying.add_prompts(project=project, prompts=prompts)
        choice = selecting.choose(project=project, n=60, seed=4)
        picked = [pair for pair in choice.selection.pairs if pair.propensity is None]
        assert len(picked) > 30
        shares.append(float(np.mean([int(pair.prompt_id) in even for pair in picked])))
        notes.append(plain(choice.selection.notes))
    assert shares[1] > shares[0] + 0.1
    assert ["Aimed at 200" in note for note in notes] == [False, True]

"""Every kind of vote in fine-tuning: one objective, nothing twice, nothing left out."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from rewardmodel.likelihood import objective as likelihood
from rewardmodel.likelihood import rating
from rewardmodel.likelihood.objective import Ratings
from rewardmodel.training import data, votes
from rewardmodel.training.finetune import bundle, loop, members, objective
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.preparing import Prepared, prepare
from rewardmodel.training.finetune.processes import Processes
from tests.rewardmodel.answered import answer, write_answered
from tests.rewardmodel.answered_world import PEOPLE, write_world
from tests.rewardmodel.finetune import tiny

ALONE = Processes(0, 1, torch.device("cpu"))


def every_kind(folder: Path, prompts: int = 8) -> Path:
    """Rankings with and without ties, ratings on two scales, comparisons with their strength, and two prompts
    to calibrate and to test."""
    answers = []
    for p in range(prompts):
        a, b, c, d = (f"p{p}r{i}" for i in range(4))
        answers += [
            answer(f"p{p}", "ann", [a, b, c], ranks=[2, 1, 2] if p % 2 else [3, 1, 2]),
            answer(f"p{p}", "ben", [d, b, a, c], ranks=[1, 2, 3, 4]),
            answer(f"p{p}", "ben", [a, b], choice="a", strength=1 + p % 3),
            answer(f"p{p}", "ann", [c, d], choice="tie", strength=None),
            answer(f"p{p}", "ann", [a, b], ratings=[2, 5]),
            answer(f"p{p}", "ben", [a, b], ratings=[1, 3], points=7),
        ]
    words = {name: f"the {name} because " * (1 + i % 5) for i, name in enumerate(_names(answers))}
    return write_answered(folder, answers, texts=words, p0="calibration", p1="test")


def _names(answers: list[dict[str, object]]) -> list[str]:
    return sorted({name for one in answers for name in one["responses"]})  # type: ignore[attr-defined]


def prepared(folder: Path, **settings: object) -> tuple[Prepared, FinetuneConfig]:
    snapshot = every_kind(folder / "answered")
    _, path = tiny.prepare(folder, clip=1e9, **settings)  # type: ignore[arg-type]
    config, read = tiny.settings(path), data.read(snapshot, None)
    return prepare(read, votes.read(snapshot, read), config, ALONE.place, None), config


def learner(found: Prepared, config: FinetuneConfig, member: int = 0) -> loop.Learner:
    drawn = loop.draw(found.problem, config, member)
    return loop.Learner(found.nursery.make(member, drawn.parameters), found.problem, drawn, config)


def gradients(found: loop.Learner) -> dict[str, Tensor]:
    return {name: v.grad.clone() for name, v in found.member.trained().items() if v.grad is not None}


@pytest.mark.slow
def test_a_step_of_everything_is_the_one_objective(tmp_path: Path) -> None:
    """The oracle encodes every response by itself and asks the likelihood for all rows at once."""
    found, config = prepared(tmp_path, effective_batch=10_000)
    mine, other = learner(found, config), learner(found, config)
    assert len(mine.drawn.steps) == 1
    loss = mine.advance(ALONE)
    problem, drawn = found.problem, other.drawn
    rewards = torch.cat([other._rewards(np.array([row])) for row in range(len(problem.sequences))])
    nll = likelihood.losses(rewards.unsqueeze(1), other.member.parameters, drawn.terms).sum()
    prior = likelihood.penalty(other.member.parameters, drawn.terms).sum()
    level = torch.zeros(())
    for term in drawn.terms:
        drawn_rows = term.take(term.weight > 0)
        level = level + 2 / len(term.responses) * rewards[drawn_rows.responses].sum(0).square().sum()
    rows = sum(int((term.weight > 0).sum()) for term in drawn.terms)
    total = (nll + prior) / drawn.votes + config.centring * level / rows
    torch.autograd.backward(total)
    assert float(prior.detach()) > 0
    assert loss == pytest.approx(float(total.detach()), rel=1e-5)
    wanted = gradients(other)
    got = gradients(mine)
    assert {"tau", "strength", "rating_5.cuts", "rating_5.shift", "rating_7.spread"} <= got.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient, atol=1e-5, rtol=1e-3)


@pytest.mark.slow
def test_an_epoch_holds_every_answer_once_and_the_priors_once(tmp_path: Path) -> None:
    found, config = prepared(tmp_path, members=1, effective_batch=8)
    one = learner(found, config)
    assert len(one.drawn.steps) > 3
    assert sorted(np.concatenate(one.drawn.steps).tolist()) == list(range(len(found.problem.rows.prompt)))
    assert found.rows["trained"] == {"strengths": 12, "rankings": 12, "ratings": 24}
    assert found.votes == {"pairs": 0, "strengths": 16, "rankings": 16, "ratings": 16}
    of_steps = sum(objective.votes(one._take(step)) for step in one.drawn.steps)
    assert of_steps == pytest.approx(one.drawn.votes) == 12 + 6 * 2 + 6 * 3 + 24
    shares = [objective.votes(one._take(step)) / one.drawn.votes for step in one.drawn.steps]
    assert sum(shares) == pytest.approx(1)  # of the priors, in the scale of the answers


@pytest.mark.slow
def test_an_answer_with_a_response_that_is_too_long_is_left_out_and_listed(tmp_path: Path) -> None:
    found, _ = prepared(tmp_path, max_length=20)
    long = found.rows["too_long_responses"].keys()
    assert long
    kinds = Counter(one["kind"] for one in found.rows["dropped"])
    assert kinds.keys() == {"strengths", "rankings", "ratings"}
    for kind, whole in (("strengths", 12), ("rankings", 12), ("ratings", 24)):
        assert found.rows["trained"].get(kind, 0) + kinds[kind] == whole
    for one in found.rows["dropped"]:
        assert set(one["responses"]) & long
    used = {found.snapshot.responses.ids[i] for i in np.unique(found.problem.rows.responses)}
    assert not used & long


@pytest.mark.slow
def test_what_is_resumed_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    found, config = prepared(tmp_path, effective_batch=8, epochs=2)
    whole = learner(found, config, 1)
    losses = [whole.advance(ALONE) for _ in range(5)]
    first = learner(found, config, 1)
    before = [first.advance(ALONE) for _ in range(2)]
    kept = {name: value.detach().clone() for name, value in first.state().items()}
    second = learner(found, config, 1)
    second.restore(kept, 2)
    assert before + [second.advance(ALONE) for _ in range(3)] == losses
    wanted = whole.state()
    assert {"weight.rating_5.shift", "exp_avg.strength", "exp_avg_sq.tau"} <= wanted.keys()
    for name, value in second.state().items():
        assert torch.equal(value, wanted[name]), name


@pytest.mark.slow
def test_the_parameters_of_votes_do_not_decay_and_those_of_people_stay_here(tmp_path: Path) -> None:
    found, config = prepared(tmp_path)
    one = learner(found, replace(config, weight_decay=0.1))
    weights, own = one.optimiser.param_groups
    assert (weights["weight_decay"], own["weight_decay"]) == (0.1, 0)
    assert {id(value) for value in own["params"]} == {id(value) for value in one.member.parameters.values()}
    members.save(one.member, tmp_path / "member0", {})
    kept = tiny.read(tmp_path / "member0" / members.DESCRIPTION)["parameters"]
    assert kept.keys() == {"tau", "strength", "rating_5.cuts", "rating_7.cuts"}
    assert kept["tau"] == one.member.parameters["tau"].tolist()
    assert len(kept["rating_7.cuts"]) == 6


def test_the_scales_of_annotators_begin_where_their_answers_put_them() -> None:
    """Five people rate the same responses from strict to lenient; the rewards are not known yet."""
    rng = np.random.default_rng(0)
    shift = np.linspace(-2, 2, 5)
    people = np.repeat(np.arange(5), 400)
    felt = rng.logistic(size=len(people)) - shift[people]
    points = 1 + (felt[:, None] > np.array([-1.5, -0.5, 0.5, 1.5])).sum(1)
    n = len(people)
    zero = torch.zeros(n, dtype=torch.int64)
    term = Ratings(zero[None], zero, torch.ones(n), torch.from_numpy(points), torch.from_numpy(people), 5, 5)
    found = objective.start((term,), 1, -0.3)
    assert float(found["tau"]) == pytest.approx(-0.3)
    assert np.corrcoef(found["rating_5.shift"][:, 0].numpy(), shift)[0, 1] > 0.99
    edges = rating.cut_points(found["rating_5.cuts"]) * found["rating_5.spread"].exp().T
    np.testing.assert_allclose(edges.T.numpy(), np.tile([-1.5, -0.5, 0.5, 1.5], (5, 1)), atol=0.25)


@pytest.mark.slow
def test_rankings_and_biased_ratings_teach(tmp_path: Path) -> None:
    splits = {f"p{p}": "calibration" if p < 54 else "test" for p in range(48, 60)}
    snapshot, truth = write_world(tmp_path / "world", 0, **splits)
    _, path = tiny.prepare(tmp_path, epochs=4)
    assert tiny.train(snapshot, tmp_path / "run", path) == 0
    metrics = tiny.read(tmp_path / "run" / "metrics.json")
    labels = pq.read_metadata(snapshot / "preferences.parquet").num_rows
    assert metrics["training"]["votes"] == {"pairs": 0, "rankings": 60, "ratings": 180}
    assert metrics["training"]["rows"] == {"rankings": 48, "ratings": 24 * 2 * 6}
    reason = "pairs of answers that are learned from as given"
    assert metrics["left_out"][0] == {"reason": reason, "count": labels}
    responses = data.read_responses(snapshot / "responses.parquet")
    ensemble = bundle.load(tmp_path / "run" / "ensemble")
    rewards = bundle.score(ensemble, responses).rewards.mean(1)
    held = np.array([splits.get(responses.prompt_ids[p]) == "test" for p in responses.prompt])
    wanted = np.array([truth[name] for name in responses.ids])
    learned = np.corrcoef(rewards[held], wanted[held])[0, 1]
    assert learned > 0.8
    start = untrained(snapshot, path)
    assert learned > abs(np.corrcoef(start[held], wanted[held])[0, 1]) + 0.25
    described = tiny.read(tmp_path / "run" / "ensemble" / "member0" / members.DESCRIPTION)["parameters"]
    assert len(described["rating_5.cuts"]) == 4
    assert not any(str(PEOPLE) in name or "shift" in name for name in described)


def untrained(snapshot: Path, path: Path) -> np.ndarray:
    """Rewards of the untrained first member: the control."""
    config, read = tiny.settings(path), data.read(snapshot, None)
    found = prepare(read, votes.read(snapshot, read), config, ALONE.place, None)
    one = learner(found, config)
    with torch.no_grad():
        return one._rewards(np.arange(len(read.responses.ids))).numpy()

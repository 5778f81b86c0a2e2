"""Batched heads, their bootstrap, and the fit: recovery, independence of the models, exact resumption."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardmodel.likelihood import objective, pair
from rewardmodel.training import checkpoint, heads, loop
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.failure import DivergedError


def simulate(
    *, prompts: int = 150, d: int = 16, votes: int = 3, tau: float = -0.5, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, np.ndarray]:
    """Ten pairs of five responses a prompt: features (n, d), left, right, and the outcome probabilities (m,
    3)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(prompts * 5, d))
    truth = rng.normal(size=d) / np.sqrt(d) * 1.5
    i, j = np.triu_indices(5, 1)
    left = (np.arange(prompts)[:, None] * 5 + i).ravel()
    right = (np.arange(prompts)[:, None] * 5 + j).ravel()
    difference = torch.tensor((x[left] - x[right]) @ truth)
    p = pair.probabilities(difference, torch.tensor(tau)).numpy()
    return torch.tensor(x, dtype=torch.float32), torch.tensor(left), torch.tensor(right), p


def problem(
    x: torch.Tensor,
    left: torch.Tensor,
    right: torch.Tensor,
    shares: np.ndarray,
    votes: float,
    models: int = 8,
) -> loop.Problem:
    prompts = len(x) // 5
    draws = heads.bootstrap((np.zeros(prompts, bool),), prompts, models, np.random.default_rng(1))
    return loop.Problem(
        x,
        (
            objective.Pairs(
                torch.stack((left, right)),
                left // 5,
                torch.full((len(left),), votes),
                torch.tensor(shares.T, dtype=torch.float32),
            ),
        ),
        draws,
    )


def begin(task: loop.Problem, hidden: int = 0, seed: int = 2) -> loop.State:
    models = task.draws.inside.shape[1]
    return loop.start(heads.initialise(models, task.features.shape[1], hidden, np.random.default_rng(seed)))


def quiet(*_: object) -> None:
    return None


@pytest.mark.parametrize("hidden", [0, 6])
def test_batched_rewards_equal_those_of_each_model_alone(hidden: int) -> None:
    rng = np.random.default_rng(0)
    parameters = heads.initialise(5, 7, hidden, rng)
    x = torch.tensor(rng.normal(size=(11, 7)), dtype=torch.float32)
    together = heads.rewards(parameters, x)
    for j in range(5):
        alone = heads.select(parameters, [j])
        torch.testing.assert_close(heads.rewards(alone, x)[:, 0], together[:, j])
        by_hand = x @ parameters["linear"][:, j]
        if hidden:
            inner = torch.tanh(x @ parameters["inner"].reshape(7, hidden, 5)[:, :, j])
            by_hand = by_hand + inner @ parameters["outer"][:, j]
        torch.testing.assert_close(together[:, j], by_hand)
        torch.testing.assert_close(heads.penalty(alone)[0], heads.penalty(parameters)[j])


def test_the_bootstrap_draws_prompts_and_never_the_held_out_ones() -> None:
    masks = (np.zeros(40, bool), np.arange(40) < 10)
    draws = heads.bootstrap(masks, 40, 200, np.random.default_rng(0))
    assert draws.inside.shape == (40, 400)
    assert draws.inside[:10, 200:].sum() == 0
    assert draws.outside[:10, 200:].sum() == 0
    assert ((draws.inside > 0) & (draws.outside > 0)).sum() == 0
    assert draws.inside[:, :200].mean() == pytest.approx(1, abs=0.05)
    assert draws.outside[:, :200].mean() == pytest.approx(np.exp(-1), abs=0.03)
    assert (draws.inside.sum(0) > 0).all()
    assert (draws.outside.sum(0) > 0).all()


def test_two_prompts_are_one_to_learn_from_and_one_to_stop_by() -> None:
    draws = heads.bootstrap((np.array([True, False, False]),), 3, 50, np.random.default_rng(0))
    assert (draws.outside.sum(0) == 1).all()
    assert (draws.inside[0] == 0).all()


@pytest.mark.slow
def test_recovers_rewards_and_the_tie_parameter() -> None:
    x, left, right, p = simulate(prompts=300)
    task = problem(x, left, right, p, votes=20.0)  # exact shares
    fitted = loop.fit(task, TrainingConfig(weight_decay=0.01, max_steps=200), begin(task), quiet)
    d = heads.rewards(fitted.best, x)
    found = (d[left] - d[right]).mean(1)
    truth = torch.tensor(np.log(p[:, pair.A] / p[:, pair.B]), dtype=torch.float32)
    assert torch.corrcoef(torch.stack([found, truth]))[0, 1] > 0.999
    assert float((found @ truth) / (truth @ truth)) == pytest.approx(1, abs=0.03)
    assert fitted.best["tau"].mean().item() == pytest.approx(-0.5, abs=0.03)


def test_swapping_the_sides_of_every_pair_changes_no_reward() -> None:
    x, left, right, p = simulate(prompts=40)
    config = TrainingConfig(max_steps=30)
    one, other = problem(x, left, right, p, 3.0), problem(x, right, left, p[:, [1, 0, 2]], 3.0)
    a = loop.fit(one, config, begin(one), quiet).best["linear"]
    b = loop.fit(other, config, begin(other), quiet).best["linear"]
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_models_of_one_batch_do_not_touch_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads fitted together, in small chunks, equal heads fitted alone: nothing leaks between folds."""
    x, left, right, p = simulate(prompts=30)
    task, config = problem(x, left, right, p, 3.0), TrainingConfig(max_steps=25)
    together = loop.fit(task, config, begin(task), quiet)
    monkeypatch.setattr(loop, "CHUNK", 400)
    for j in (0, 5):
        start = loop.start(heads.select(begin(task).parameters, [j]))
        alone = copy.copy(task)
        object.__setattr__(
            alone, "draws", heads.Bootstrap(task.draws.inside[:, [j]], task.draws.outside[:, [j]])
        )
        fitted = loop.fit(alone, config, start, quiet)
        torch.testing.assert_close(
            fitted.best["linear"][:, 0], together.best["linear"][:, j], atol=1e-4, rtol=1e-3
        )


def test_a_head_keeps_its_best_weights_and_stops() -> None:
    """Pure noise with far more features than it takes: validation is best early, training goes on falling."""
    rng = np.random.default_rng(0)
    x, left, right, _ = simulate(prompts=30, d=120)
    noise = rng.multinomial(1, [0.5, 0.5, 0], size=len(left)).astype(float)
    task = problem(x, left, right, noise, 1.0)
    trail: list[tuple[float, float]] = []
    fitted = loop.fit(
        task,
        TrainingConfig(weight_decay=0, max_steps=200, patience=5),
        begin(task),
        lambda state, train, validation: trail.append((train, validation)),
    )
    assert fitted.step < 60
    assert trail[-1][0] < trail[0][0]
    assert trail[-1][1] > min(v for _, v in trail) + 0.05
    r = heads.rewards(fitted.best, x)
    loss = task.terms[0].losses(r, fitted.best)
    outside = task.draws.outside[left // 5]
    torch.testing.assert_close((loss * outside).sum(0) / outside.sum(0), fitted.lowest, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("hidden", [0, 8])
def test_a_resumed_fit_gives_the_same_bits(tmp_path: Path, hidden: int) -> None:
    x, left, right, p = simulate(prompts=30)
    task, config = problem(x, left, right, p, 3.0), TrainingConfig(max_steps=30, hidden=hidden)
    path = tmp_path / "state.safetensors"

    def save(state: loop.State, train: float, validation: float) -> None:
        if state.step == 11:
            checkpoint.write(path, state, [{"step": 11.0}], "mine")

    whole = loop.fit(task, config, begin(task, hidden), save)
    assert checkpoint.read(path, "another run") is None
    saved = checkpoint.read(path, "mine")
    assert saved is not None
    assert (saved[0].step, saved[1]) == (11, [{"step": 11.0}])
    resumed = loop.fit(task, config, saved[0], quiet)
    for name, value in whole.best.items():
        assert torch.equal(value, resumed.best[name])


def test_a_damaged_checkpoint_is_none(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"\x00" * 40)
    assert checkpoint.read(path, "mine") is None


def test_a_fit_that_diverges_says_so() -> None:
    x, left, right, p = simulate(prompts=10)
    task = problem(x * float("inf"), left, right, p, 1.0)
    with pytest.raises(DivergedError, match="learning_rate"):
        loop.fit(task, TrainingConfig(), begin(task), quiet)


@pytest.mark.slow
def test_soft_labels_beat_majority_labels() -> None:
    """Three votes a pair, no ties: on fresh pairs vote shares give a better NLL and ranking than
    majorities."""
    gains, ranks = [], []
    for seed in range(6):
        x, left, right, p = simulate(prompts=150, d=48, tau=-30.0, seed=seed)
        rng = np.random.default_rng(100 + seed)
        counts = np.stack([rng.multinomial(3, row) for row in p])
        majority = np.eye(3)[counts.argmax(1)]
        fresh, train = slice(1000, 1500), slice(0, 1000)
        nll, right_side = {}, {}
        for name, shares in (("soft", counts / 3), ("majority", majority)):
            best = np.inf
            for decay in (1.0, 10.0, 100.0):  # each arm at its own best
                task = problem(x[:500], left[train], right[train], shares[train], 3.0)
                fitted = loop.fit(task, TrainingConfig(weight_decay=decay), begin(task), quiet)
                r = heads.rewards(fitted.best, x).mean(1)
                d = (r[left] - r[right])[fresh]
                loss = pair.negative_log_likelihood(
                    d, torch.tensor(-30.0), torch.tensor(p[fresh], dtype=torch.float32)
                )
                if loss.mean() < best:
                    best = float(loss.mean())
                    right_side[name] = float(((d > 0).numpy() == (p[fresh, 0] > 0.5)).mean())
            nll[name] = best
        gains.append(nll["majority"] - nll["soft"])
        ranks.append(right_side["soft"] - right_side["majority"])
    assert min(gains) > 0
    assert np.mean(gains) > 0.005
    assert np.mean(ranks) > -0.005

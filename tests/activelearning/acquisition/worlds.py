"""Plain-function factories: pools, labels and small worlds with known rewards."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from activelearning.acquisition.pool import CandidatePairs, LabelledPairs, ResponsePool
from activelearning.acquisition.simulation import Scores, World


def ids(prompts: int, responses: int) -> tuple[np.ndarray, np.ndarray]:
    prompt = np.repeat([f"p{i:03d}" for i in range(prompts)], responses)
    response = np.array([f"{p}/r{j}" for p, j in zip(prompt, list(range(responses)) * prompts, strict=True)])
    return response, prompt


def pool(
    prompts: int = 12, responses: int = 4, *, d: int = 6, members: int = 5, seed: int = 0, **fields: object
) -> ResponsePool:
    rng = np.random.default_rng(seed)
    response, prompt = ids(prompts, responses)
    features = rng.standard_normal((len(response), d))
    weights = rng.standard_normal((d, 1)) + 0.5 * rng.standard_normal((d, members))
    given: dict[str, object] = {"features": features, "rewards": features @ weights, **fields}
    return ResponsePool(response, prompt, **given)  # type: ignore[arg-type]


def every_pair(responses: ResponsePool) -> CandidatePairs:
    a, b = [], []
    for prompt in dict.fromkeys(responses.prompt_id.tolist()):
        own = responses.response_id[responses.prompt_id == prompt]
        for i in range(len(own)):
            for j in range(i + 1, len(own)):
                a.append(str(own[i]))
                b.append(str(own[j]))
    return CandidatePairs.from_ids(responses.response_id, responses.prompt_id, a, b)


def labels(
    candidates: CandidatePairs, rows: np.ndarray, *, seed: int = 0, held_out: bool = True
) -> LabelledPairs:
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(5, [0.4, 0.2, 0.4], size=len(rows)) / 5
    return LabelledPairs(
        candidates.response_a[rows],
        candidates.response_b[rows],
        shares,
        np.full(len(rows), 5.0),
        np.full(len(rows), held_out),
    )


def linear_world(seed: int, *, prompts: int = 120, responses: int = 4, d: int = 16) -> World:
    """Rewards linear in the features. Most prompts have responses which are nearly alike, as sampled ones
    are.
    """
    rng = np.random.default_rng(seed)
    response, prompt = ids(prompts, responses)
    spread = np.repeat(np.exp(rng.normal(-1.0, 1.0, prompts)), responses)
    features = spread[:, None] * rng.standard_normal((len(response), d)) * np.linspace(2.0, 0.4, d)
    reward = features @ (rng.standard_normal(d) / np.linspace(2.0, 0.4, d)) * 0.8
    candidates = every_pair(ResponsePool(response, prompt, features))
    p = expit(reward[candidates.first] - reward[candidates.second])
    shares = np.column_stack([p, np.zeros_like(p), 1 - p])
    test = np.isin(candidates.prompts, [f"p{i:03d}" for i in range(0, prompts, 3)])
    chosen, measured = (
        CandidatePairs.from_ids(response, prompt, candidates.response_a[rows], candidates.response_b[rows])
        for rows in (~test, test)
    )
    return World(response, prompt, features, chosen, shares[~test], measured, shares[test], votes=3)


def bootstrap_ridge(world: World, members: int = 8, penalty: float = 1.0):
    """Train callable: K ridge-penalised logistic regressions under Poisson(1) bootstrap weights, by Newton
    steps.
    """
    position = {name: i for i, name in enumerate(world.response_id.tolist())}

    def train(labelled: LabelledPairs, rng: np.random.Generator) -> Scores:
        rows = np.flatnonzero(~labelled.held_out)
        a = np.array([position[name] for name in labelled.response_a[rows].tolist()], dtype=int)
        b = np.array([position[name] for name in labelled.response_b[rows].tolist()], dtype=int)
        x = world.features[a] - world.features[b]
        y = labelled.shares[rows, 0] + labelled.shares[rows, 1] / 2
        d = x.shape[1]
        weights = np.zeros((d, members))
        for k in range(members):
            times = rng.poisson(1.0, len(x)) * labelled.votes[rows]
            w = np.zeros(d)
            for _ in range(6):
                p = expit(x @ w)
                hessian = (x.T * (times * p * (1 - p))) @ x + penalty * np.eye(d)
                w = w + np.linalg.solve(hessian, x.T @ (times * (y - p)) - penalty * w)
            weights[:, k] = w
        return Scores(world.features @ weights)

    return train

"""Plain-function factories: pools, labels and small worlds with known rewards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import expit

from activelearning.acquisition.pool import CandidatePairs, LabelledPairs, ResponsePool
from activelearning.acquisition.quotas import Part, Recipe, Rule
from activelearning.acquisition.replay import World


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


def subset(candidates: CandidatePairs, rows: np.ndarray, swap: np.ndarray | None = None) -> CandidatePairs:
    first, second = candidates.first[rows], candidates.second[rows]
    if swap is not None:
        first, second = np.where(swap, second, first), np.where(swap, first, second)
    return replace(
        candidates, first=first, second=second, sampling_probability=candidates.sampling_probability[rows]
    )


def textbook(
    uncertainty: float = 0.5,
    diversity: float = 0.3,
    error: float = 0.2,
    random: float = 0.1,
    **settings: object,
) -> Recipe:
    shares: dict[Rule, float] = {"uncertainty": uncertainty, "d_optimal": diversity, "error": error}
    parts = tuple(Part(rule, share) for rule, share in shares.items() if share)
    return Recipe("test", parts, random_share=random, **settings)  # type: ignore[arg-type]


def linear_world(seed: int, *, prompts: int = 120, responses: int = 4, d: int = 16) -> World:
    """Rewards linear in the features. Most prompts have responses which are nearly alike, as sampled ones
    are; a third of the prompts is measured on.
    """
    rng = np.random.default_rng(seed)
    spread = np.repeat(np.exp(rng.normal(-1.0, 1.0, prompts)), responses)
    features = spread[:, None] * rng.standard_normal((prompts * responses, d)) * np.linspace(2.0, 0.4, d)
    reward = features @ (rng.standard_normal(d) / np.linspace(2.0, 0.4, d)) * 0.8
    prompt = np.repeat(np.arange(prompts), responses)
    low, high = np.triu_indices(responses, k=1)
    first = (np.arange(prompts)[:, None] * responses + low).ravel()
    second = (np.arange(prompts)[:, None] * responses + high).ravel()
    p = expit(reward[first] - reward[second])
    a = rng.binomial(5, p)
    counts = np.column_stack([a, np.zeros_like(a), 5 - a]).astype(float)
    x = features[first] - features[second]
    z = (features / np.sqrt((x**2).sum(axis=1).mean())).astype(np.float32)
    test = prompt[first] % 3 == 0
    return World(z, prompt, first, second, counts, np.flatnonzero(~test), np.flatnonzero(test))

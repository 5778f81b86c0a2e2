"""What the acquisition functions are given: scored responses, candidate pairs, labelled pairs.

Pairs are kept as positions into a table of response ids, because 10⁶ pairs of strings do not fit comfortably
in memory; everything that leaves the package is ids again.

Shapes: n responses, K ensemble members, d features, N candidate pairs, m labelled pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.str_]
Floats = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]
Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]


class PoolError(ValueError):
    """The arrays do not describe one consistent set of responses or pairs."""


class UnknownResponseError(LookupError):
    """A pair names a response which is not in the pool."""


@dataclass(frozen=True, eq=False)
class ResponsePool:
    """All responses of a project as the active ensemble sees them.

    response_id, prompt_id: (n,); response ids are unique. features: (n, d) or None before the first
    embedding. rewards: (n, K) before temperature, or None while there is no ensemble (cold start).
    temperature divides every reward; tau is the Davidson tie logit. kind: (n,) kind of the response's prompt,
    None where the prompts were not put into kinds: then no cap goes by them.
    """

    response_id: Ids
    prompt_id: Ids
    features: Reals | None = None
    rewards: Reals | None = None
    temperature: float = 1.0
    tau: float = 0.0
    kind: Positions | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "response_id", as_ids(self.response_id))
        object.__setattr__(self, "prompt_id", as_ids(self.prompt_id))
        n = len(self.response_id)
        if len(self.prompt_id) != n:
            raise PoolError(
                f"{n} response ids but {len(self.prompt_id)} prompt ids; give one prompt id each."
            )
        if len(np.unique(self.response_id)) != n:
            raise PoolError("Response ids repeat; every response needs an id of its own.")
        if self.rewards is not None and self.features is None:
            raise PoolError("Rewards without features; pass the features that the ensemble scored.")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise PoolError(f"Temperature is {self.temperature}; it must be a positive number.")
        if self.kind is not None and self.kind.shape != (n,):
            raise PoolError(f"kind has shape {self.kind.shape}; expected ({n},), one for each response.")
        for name, array in (("features", self.features), ("rewards", self.rewards)):
            if array is None:
                continue
            if array.ndim != 2 or len(array) != n or array.shape[1] == 0:
                raise PoolError(f"{name} has shape {array.shape}; expected ({n}, at least one column).")
            if not np.isfinite(array).all():
                raise PoolError(f"{name} contains NaN or infinity; score the responses again.")


@dataclass(frozen=True, eq=False)
class CandidatePairs:
    """Unordered pairs of two responses to one prompt, which may be put before people.

    first, second: (N,) positions in response_id. sampling_probability: (N,) chance with which the pair got
    into the list (below 1 where a prompt with very many responses was subsampled).
    """

    response_id: Ids
    prompt_id: Ids
    first: Positions
    second: Positions
    sampling_probability: Floats
    already_judged: int = 0
    left_out_by_cap: int = 0

    def __len__(self) -> int:
        return len(self.first)

    @property
    def response_a(self) -> Ids:
        return self.response_id[self.first]

    @property
    def response_b(self) -> Ids:
        return self.response_id[self.second]

    @property
    def prompts(self) -> Ids:
        return self.prompt_id[self.first]

    @classmethod
    def from_ids(
        cls,
        response_id: Ids,
        prompt_id: Ids,
        response_a: Sequence[str] | Ids,
        response_b: Sequence[str] | Ids,
    ) -> CandidatePairs:
        """Candidates given as ids; raises UnknownResponseError, or PoolError for a pair across two
        prompts.
        """
        table, prompts = as_ids(response_id), as_ids(prompt_id)
        first, second = find_positions(table, response_a), find_positions(table, response_b)
        if len(first) != len(second):
            raise PoolError(f"{len(first)} first but {len(second)} second responses; pairs need both.")
        wrong = np.flatnonzero((prompts[first] != prompts[second]) | (first == second))
        if len(wrong):
            a, b = table[first[wrong[0]]], table[second[wrong[0]]]
            raise PoolError(f"{a!r} and {b!r} are not two responses to the same prompt; leave the pair out.")
        return cls(table, prompts, first, second, np.ones(len(first)))


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """Judged pairs with their soft labels.

    shares: (m, 3) vote shares of (a, tie, b), rows sum to 1; votes: (m,) effective votes.
    held_out: (m,) true where the pair's prompt was kept from training, so that its error is an honest one.
    """

    response_a: Ids
    response_b: Ids
    shares: Floats
    votes: Floats
    held_out: Mask

    def __post_init__(self) -> None:
        object.__setattr__(self, "response_a", as_ids(self.response_a))
        object.__setattr__(self, "response_b", as_ids(self.response_b))
        object.__setattr__(self, "shares", np.asarray(self.shares, dtype=np.float64).reshape(-1, 3))
        object.__setattr__(self, "votes", np.asarray(self.votes, dtype=np.float64))
        object.__setattr__(self, "held_out", np.asarray(self.held_out, dtype=np.bool_))
        m = len(self.response_a)
        sizes = (len(self.response_b), len(self.shares), len(self.votes), len(self.held_out))
        if any(size != m for size in sizes):
            raise PoolError(f"{m} labelled pairs, but columns of lengths {sizes}; they must agree.")
        if m and not (np.all(self.shares >= 0) and np.allclose(self.shares.sum(axis=1), 1.0, atol=1e-6)):
            raise PoolError("Vote shares must be non-negative and sum to 1 in every row (a, tie, b).")
        if m and not (np.isfinite(self.votes).all() and np.all(self.votes > 0)):
            raise PoolError("Effective votes must be positive; leave pairs without votes out.")

    def __len__(self) -> int:
        return len(self.response_a)


def pair_keys(first: Positions, second: Positions, n: int) -> Positions:
    """One number for each pair of rows below n, (N,), the same for both orders."""
    return np.minimum(first, second) * n + np.maximum(first, second)


def as_ids(values: Sequence[str] | Ids) -> Ids:
    return np.asarray(values, dtype=np.str_).reshape(-1)


def find_positions(table: Ids, ids: Sequence[str] | Ids) -> Positions:
    """Position of every id in the table; raises UnknownResponseError naming the first one missing. O(m log
    n).
    """
    wanted = as_ids(ids)
    if len(wanted) == 0:
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(table, kind="stable")
    place = np.searchsorted(table, wanted, sorter=order)
    found = order[np.minimum(place, len(table) - 1)] if len(table) else np.zeros(len(wanted), dtype=np.int64)
    missing = np.flatnonzero(table[found] != wanted) if len(table) else np.arange(len(wanted))
    if len(missing):
        raise UnknownResponseError(
            f"{len(missing)} of {len(wanted)} ids are not in the pool, the first is {wanted[missing[0]]!r}; "
            "score every response that a pair names."
        )
    return found.astype(np.int64)

"""Which rows make up a step, and how their responses are encoded: each once, similar lengths together.

A row is one row of a term of the objective: a pair with its votes, a ranking, a rating. A step takes whole
prompts until it holds `limit` pairs, a ranking of n counted as n - 1. A prompt with more than that is cut
into groups grown response by response, always the one compared most with those inside the group, so that few
responses carry many rows. Everything follows from the generator that is given: a resumed run draws the same
steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from rewardmodel.likelihood.objective import Objective

WINDOW = 32  # steps among which groups are sorted by length


@dataclass(frozen=True)
class Rows:
    """m rows to learn from: all those of the first term, then those of the second, …"""

    prompt: np.ndarray  # (m,)
    responses: np.ndarray  # (m, k) rows of `length`; one of fewer than k repeats its first
    size: np.ndarray  # (m,) pairs it counts as
    length: np.ndarray  # (n,) tokens of every response
    begin: np.ndarray  # (T + 1,) where the rows of each term begin, and the end

    def among(self, rows: np.ndarray) -> np.ndarray:
        """The responses that these rows speak of, each once, in order."""
        return np.unique(self.responses[rows])

    def of_terms(self, rows: np.ndarray) -> list[np.ndarray]:
        """For each term which of its rows are among these."""
        ends = zip(self.begin[:-1], self.begin[1:], strict=True)
        return [rows[(rows >= begin) & (rows < end)] - begin for begin, end in ends]


def rows(terms: Objective, length: np.ndarray) -> Rows:
    widest = max(len(term.responses) for term in terms)
    filled = []
    for term in terms:
        k = len(term.responses)
        filled.append(term.responses[[*range(k), *[0] * (widest - k)]].T.numpy())
    return Rows(
        np.concatenate([term.prompt.numpy() for term in terms]),
        np.concatenate(filled),
        np.concatenate([np.full(len(term), max(1, len(term.responses) - 1)) for term in terms]),
        length,
        np.cumsum([0, *map(len, terms)]),
    )


@dataclass(frozen=True)
class Pass:
    """Responses that are encoded together, in chunks that fit the budget, and all their rows."""

    chunks: tuple[np.ndarray, ...]  # of responses
    rows: np.ndarray

    @property
    def responses(self) -> np.ndarray:
        return np.concatenate(self.chunks)


def steps(of: Rows, chosen: np.ndarray, limit: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One epoch over the chosen rows: for each step its rows, every row in exactly one step."""
    groups = [group for whole in _by_prompt(of, chosen) for group in _groups(of, whole, limit, rng)]
    order = rng.permutation(len(groups))
    longest = np.array([of.length[of.among(group)].max() for group in groups], dtype=np.int64)
    per_step = max(1, round(limit / max(1.0, of.size[chosen].sum() / max(1, len(groups)))))
    found: list[np.ndarray] = []
    for start in range(0, len(order), WINDOW * per_step):
        window = order[start : start + WINDOW * per_step]
        found += _packed(of, [groups[i] for i in window[np.argsort(longest[window], kind="stable")]], limit)
    return [found[i] for i in rng.permutation(len(found))]


def _by_prompt(of: Rows, chosen: np.ndarray) -> Iterator[np.ndarray]:
    ordered = chosen[np.argsort(of.prompt[chosen], kind="stable")]
    yield from np.split(ordered, np.flatnonzero(np.diff(of.prompt[ordered])) + 1)


def _packed(of: Rows, groups: list[np.ndarray], limit: int) -> list[np.ndarray]:
    found, held, size = [], [], 0
    for group in groups:
        held.append(group)
        size += int(of.size[group].sum())
        if size >= limit:
            found.append(np.concatenate(held))
            held, size = [], 0
    if held:
        found.append(np.concatenate(held))
    return found


def _groups(of: Rows, mine: np.ndarray, limit: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The rows of one prompt in groups of about `limit` pairs, each over few responses."""
    if of.size[mine].sum() <= limit:
        yield mine
        return
    names, places = np.unique(of.responses[mine], return_inverse=True)
    places = places.reshape(len(mine), -1)
    compared = _compared(places, len(names))
    left = np.ones(len(mine), dtype=bool)
    while left.any():
        inside = _grown(compared, np.unique(places[rng.choice(np.flatnonzero(left))]), limit)
        taken = left & inside[places].all(1)
        left &= ~taken
        compared -= _compared(places[taken], len(names))
        yield mine[taken]


def _compared(places: np.ndarray, count: int) -> np.ndarray:
    """(count, count): in how many rows both responses are. places: (m, k) in 0 … count - 1."""
    row = np.repeat(np.arange(len(places)), places.shape[1])
    member = sparse.csr_array(
        (np.ones(places.size, dtype=np.int32), (row, places.ravel())), (len(places), count)
    )
    member.sum_duplicates()
    member.data[:] = 1
    found: np.ndarray = (member.T @ member).toarray()
    np.fill_diagonal(found, 0)
    return found


def _grown(compared: np.ndarray, start: np.ndarray, limit: int) -> np.ndarray:
    """(n,) bool: the responses at `start` and others around them, with about `limit` pairs among them."""
    inside = np.zeros(len(compared), dtype=bool)
    inside[start] = True
    gain, held = compared[start].sum(0), int(compared[np.ix_(start, start)].sum()) // 2
    while held < limit:
        gain = np.where(inside, -1, gain)
        chosen = int(gain.argmax())
        if gain[chosen] <= 0:
            break
        inside[chosen] = True
        held += int(gain[chosen])
        gain = gain + compared[chosen]
    return inside


def passes(of: Rows, step: np.ndarray, budget: int, together: int | None = None) -> list[Pass]:
    """Whole prompts together while they fit into `together` tokens, padding included.

    budget: tokens encoded at once; a prompt with more of them is a pass of several chunks.
    """
    limit = budget if together is None else min(together, budget)
    found: list[Pass] = []
    held: np.ndarray | None = None
    parts = sorted(_by_prompt(of, step), key=lambda mine: int(of.length[of.among(mine)].max()))
    for mine in parts:
        joined = mine if held is None else np.concatenate([held, mine])
        if held is not None and _padded(of, joined) > limit:
            found.append(_pass(of, held, budget))
            joined = mine
        held = joined
    return found if held is None else [*found, _pass(of, held, budget)]


def _padded(of: Rows, mine: np.ndarray) -> int:
    length = of.length[of.among(mine)]
    return int(len(length) * length.max())


def _pass(of: Rows, mine: np.ndarray, budget: int) -> Pass:
    return Pass(tuple(chunks(of.among(mine), of.length, budget)), mine)


def chunks(responses: np.ndarray, length: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Responses by length, as many at a time as fit into `budget` tokens, padding included."""
    ordered = responses[np.argsort(length[responses], kind="stable")]
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or (end + 1 - start) * length[ordered[end]] > budget:
            yield ordered[start:end]
            start = end

"""What the pool looks like to the model: a map of pairs, kinds of prompts, and who is over-represented.

* **Map**: the midpoints (z(a) + z(b))/2 of pairs, which do not depend on which response is called a, on their
  first two principal directions; each direction's largest loading is positive. `explained` says how much of
  the midpoints' variance a flat map keeps.
* **Kinds**: k-means clusters of the prompts (see `kinds`), numbered by the pairs they hold.
* **Shift**: total variation ½ Σ |p − q| between the shares of the kinds, with what chance alone gives. Labels
  come by prompt, so under chance each labelled prompt brings its pairs to a kind drawn by the pool's shares
  (a little wide where most of the pool is labelled). Under chance deployment prompts are exchangeable with
  the pool's, and both are clustered together for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.kinds import kinds_of_prompts
from activelearning.acquisition.knowledge import Knowledge, outlook
from activelearning.acquisition.pool import Floats, Ids, Mask, Positions, Reals

MOST_POINTS, MOST_SELECTED, MOST_LABELLED = 2_000, 500, 700
MOST_MEASURED = 50_000
FIT_PAIRS = 20_000
REPRESENTATIVES = 3
DRAWS = 1_000
STATUSES = ("open", "labelled", "selected")
OPEN, LABELLED, SELECTED = range(3)


@dataclass(frozen=True)
class Points:
    """The map, a pair a row. deviation: s of the pair's difference, logits; status: as STATUSES counts."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    deviation: tuple[float, ...]
    status: tuple[int, ...]
    cluster: tuple[int, ...]
    response_a: tuple[str, ...]
    response_b: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A cluster of prompts. pool, labelled, selected: its pairs; the pool counts all of them. deviation: mean
    s of its pairs, None without any. prompts: ids of those in its middle. deployment: prompts of that set.
    """

    prompts: tuple[str, ...]
    pool: int
    labelled: int
    selected: int
    deviation: float | None
    deployment: int = 0


@dataclass(frozen=True)
class KindShift:
    """How a set differs from the pool. size: its pairs (deployment: prompts); distance: total variation;
    by_chance: its mean under chance, limit: the 95 % quantile. length, pool_length: median characters of
    prompts, None where unknown.
    """

    size: int
    distance: float
    by_chance: float
    limit: float
    length: float | None = None
    pool_length: float | None = None

    @property
    def differs(self) -> bool:
        return self.distance > self.limit


@dataclass(frozen=True)
class Survey:
    """explained: share of the variance on the map. labelled, deployment: None where there is no such set."""

    points: Points
    kinds: tuple[Kind, ...]
    explained: float
    labelled: KindShift | None
    deployment: KindShift | None


@dataclass(frozen=True, eq=False)
class Prompts:
    """What is known of P prompts besides their pairs: names (P,); points (P, f), None: the means of what
    answers them; lengths (P,) in characters; of deployment prompts points (D, f) in that space, lengths (D,).
    kind: (P + D,) of each prompt, deployment prompts last, None where they are still to be found.
    """

    id: Ids
    points: Reals | None = None
    lengths: Floats | None = None
    deployment: Reals | None = None
    deployment_lengths: Floats | None = None
    kind: Positions | None = None


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Every pair of the pool, lower response id first and in the order of ids."""

    first: Positions
    second: Positions
    status: Positions


def survey(
    known: Knowledge,
    response_id: Ids,
    prompts: Prompts,
    first: Positions,
    second: Positions,
    selected: Mask,
    rng: np.random.Generator,
) -> tuple[Survey, Positions] | None:
    """Of the open pairs (first, second), of which some are `selected`, and the labels of `known`; beside it
    the kind of each prompt, (P,).

    response_id: (n,), as the rows of known.z. None where there is no pair at all.
    """
    pairs = _pairs(known, response_id, first, second, selected)
    if not len(pairs.first):
        return None
    kind = prompts.kind
    if kind is None:
        at = known.prompt_means() if prompts.points is None else prompts.points
        kind = kinds_of_prompts(at, prompts.deployment, rng)
    of_pair = kind[known.prompt[pairs.first]]
    order = np.argsort(-np.bincount(of_pair, minlength=int(kind.max()) + 1), kind="stable")
    place = np.argsort(order)
    kind, of_pair = place[kind], place[of_pair]
    measured = _sample(len(pairs.first), MOST_MEASURED, rng)
    deviation = np.full(len(pairs.first), np.nan)
    shown = _shown(pairs.status, rng)
    for rows in (measured, shown):
        deviation[rows] = _deviation(known, pairs.first[rows], pairs.second[rows])
    points, explained = _map(known, response_id, pairs, shown, deviation, of_pair, rng)
    own, others = kind[: len(prompts.id)], kind[len(prompts.id) :]
    found = Survey(
        points,
        _described(known, prompts, pairs, own, others, of_pair, deviation),
        explained,
        _labelled_shift(known, prompts, pairs, of_pair, rng),
        _deployment_shift(prompts, own, others, rng),
    )
    return found, own


def total_variation(p: Reals, q: Reals) -> Floats:
    """½ Σ |p − q| over the last axis of two (…, k) shares."""
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def _pairs(known: Knowledge, response_id: Ids, first: Positions, second: Positions, selected: Mask) -> _Pairs:
    rank = np.argsort(np.argsort(response_id, kind="stable"))
    a = np.concatenate([first, known.labels.first])
    b = np.concatenate([second, known.labels.second])
    status = np.concatenate(
        [np.where(selected, SELECTED, OPEN), np.full(len(known.labels), LABELLED)]
    ).astype(np.int64)
    low, high = np.where(rank[a] < rank[b], a, b), np.where(rank[a] < rank[b], b, a)
    # Labels of several criteria or items may name a pair twice: the most telling status of each counts.
    order = np.lexsort((-status, rank[high], rank[low]))
    once = np.ones(len(order), dtype=np.bool_)
    once[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    rows = order[once]
    return _Pairs(low[rows], high[rows], status[rows])


def _sample(n: int, most: int, rng: np.random.Generator) -> Positions:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _shown(status: Positions, rng: np.random.Generator) -> Positions:
    """Rows for the map: of the selected and labelled pairs a share each, open ones fill it up."""
    found: list[Positions] = []
    for wanted, most in ((SELECTED, MOST_SELECTED), (LABELLED, MOST_LABELLED), (OPEN, MOST_POINTS)):
        rows = np.flatnonzero(status == wanted)
        room = min(most, MOST_POINTS - sum(map(len, found)))
        found.append(rows[_sample(len(rows), room, rng)])
    return np.sort(np.concatenate(found))


def _deviation(known: Knowledge, first: Positions, second: Positions) -> Floats:
    return np.sqrt(np.maximum(outlook(known, first, second).variance, 0.0))


def _map(
    known: Knowledge,
    response_id: Ids,
    pairs: _Pairs,
    shown: Positions,
    deviation: Floats,
    kind: Positions,
    rng: np.random.Generator,
) -> tuple[Points, float]:
    fitted = _sample(len(pairs.first), FIT_PAIRS, rng)
    middle = _midpoints(known, pairs, fitted)
    centre = middle.mean(axis=0)
    values, vectors = np.linalg.eigh((middle - centre).T @ (middle - centre) / len(middle))
    directions = vectors[:, ::-1][:, :2]
    if directions.shape[1] < 2:
        directions = np.hstack([directions, np.zeros_like(directions)])
    leading = directions[np.argmax(np.abs(directions).round(9), axis=0), np.arange(2)]
    at = (_midpoints(known, pairs, shown) - centre) @ (directions * np.where(leading < 0, -1.0, 1.0))
    total = float(values.sum())
    explained = float(values[::-1][:2].sum()) / total if total > 1e-12 else 0.0
    return (
        Points(
            _floats(at[:, 0]),
            _floats(at[:, 1]),
            _floats(deviation[shown]),
            tuple(pairs.status[shown].tolist()),
            tuple(kind[shown].tolist()),
            tuple(response_id[pairs.first[shown]].tolist()),
            tuple(response_id[pairs.second[shown]].tolist()),
        ),
        min(explained, 1.0),
    )


def _midpoints(known: Knowledge, pairs: _Pairs, rows: Positions) -> Floats:
    both = known.z[pairs.first[rows]].astype(np.float64) + known.z[pairs.second[rows]]
    return np.asarray(both / 2)


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple((np.round(values, 4) + 0.0).tolist())


def _described(
    known: Knowledge,
    prompts: Prompts,
    pairs: _Pairs,
    own: Positions,
    others: Positions,
    of_pair: Positions,
    deviation: Floats,
) -> tuple[Kind, ...]:
    points = known.prompt_means() if prompts.points is None else np.asarray(prompts.points)
    count = int(max(own.max(initial=0), others.max(initial=0))) + 1
    found = []
    for kind in range(count):
        rows = np.flatnonzero(of_pair == kind)
        here = np.flatnonzero(own == kind)
        seen = deviation[rows][~np.isnan(deviation[rows])]
        far = ((points[here] - points[here].mean(axis=0)) ** 2).sum(axis=1) if len(here) else np.zeros(0)
        middle = here[np.argsort(far.round(9), kind="stable")[:REPRESENTATIVES]]
        found.append(
            Kind(
                tuple(prompts.id[middle].tolist()),
                len(rows),
                int((pairs.status[rows] == LABELLED).sum()),
                int((pairs.status[rows] == SELECTED).sum()),
                round(float(seen.mean()), 4) if len(seen) else None,
                int((others == kind).sum()),
            )
        )
    return tuple(found)


def _labelled_shift(
    known: Knowledge, prompts: Prompts, pairs: _Pairs, of_pair: Positions, rng: np.random.Generator
) -> KindShift | None:
    rows = np.flatnonzero(pairs.status == LABELLED)
    if not len(rows):
        return None
    kinds = int(of_pair.max()) + 1
    pool = np.bincount(of_pair, minlength=kinds) / len(of_pair)
    here = np.bincount(of_pair[rows], minlength=kinds) / len(rows)
    brought = np.unique(known.prompt[pairs.first[rows]], return_counts=True)[1]
    drawn = np.zeros((DRAWS, kinds))
    for pairs_each, groups in zip(*np.unique(brought, return_counts=True), strict=True):
        drawn += pairs_each * rng.multinomial(groups, pool, size=DRAWS)
    chance = total_variation(drawn / len(rows), pool)
    lengths = None
    if prompts.lengths is not None:
        each = prompts.lengths[known.prompt[pairs.first]]
        lengths = (float(np.median(each[rows])), float(np.median(each)))
    return _shift(len(rows), float(total_variation(here, pool)), chance, lengths)


def _deployment_shift(
    prompts: Prompts, own: Positions, others: Positions, rng: np.random.Generator
) -> KindShift | None:
    if not len(others):
        return None
    kinds = int(max(own.max(), others.max())) + 1
    counts = [np.bincount(side, minlength=kinds) for side in (own, others)]
    merged = counts[0] + counts[1]
    drawn = rng.multivariate_hypergeometric(merged, len(others), size=DRAWS, method="marginals")
    chance = total_variation(drawn / len(others), (merged - drawn) / len(own))
    lengths = None
    if prompts.lengths is not None and prompts.deployment_lengths is not None:
        lengths = (float(np.median(prompts.deployment_lengths)), float(np.median(prompts.lengths)))
    distance = float(total_variation(counts[1] / len(others), counts[0] / len(own)))
    return _shift(len(others), distance, chance, lengths)


def _shift(size: int, distance: float, chance: Floats, lengths: tuple[float, float] | None) -> KindShift:
    return KindShift(
        size,
        round(distance, 4),
        round(float(chance.mean()), 4),
        round(float(np.quantile(chance, 0.95)), 4),
        *(lengths or ()),
    )

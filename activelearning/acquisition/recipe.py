"""Which pairs people should judge next, and why each of them: ids in, ids and reasons out.

A recipe's random share is drawn uniformly from all candidates first; the rest goes to its rules in turns.
Every pick updates the posterior at once, random ones included, so the batch knows about itself. A prompt (or
a cluster of prompts) at its cap, four times its fair share, is passed over. Quotas are met exactly by
largest remainder and interleaved, so a batch stopped half-way still follows the recipe. Where caps and
redundancy would leave a quota unmet they give way. Deterministic given rng, and independent of the order of
candidates and of a and b.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic
from activelearning.acquisition.batch import Grown, grow
from activelearning.acquisition.describing import pair_scores
from activelearning.acquisition.explaining import Context, explain
from activelearning.acquisition.knowledge import Knowledge, Labels, learn
from activelearning.acquisition.pairs import PairTable, label_table, pair_table, target_table
from activelearning.acquisition.pool import (
    CandidatePairs,
    Floats,
    LabelledPairs,
    Positions,
    Reals,
    ResponsePool,
)
from activelearning.acquisition.projection import fit_projection
from activelearning.acquisition.quotas import BLIND, DEFAULT, Recipe, recipe_named
from activelearning.acquisition.selection import Neighbour, PairScores, Reason, SelectedPair, Selection
from activelearning.acquisition.wording import Said, counted, said

NEIGHBOURS = 3


def select_batch(
    pool: ResponsePool,
    candidates: CandidatePairs,
    labelled: LabelledPairs | None = None,
    *,
    n: int,
    rng: np.random.Generator,
    recipe: Recipe | None = None,
    target: CandidatePairs | None = None,
    arithmetic: Arithmetic = NUMPY,
) -> Selection:
    """Choose min(n, open candidates) pairs. No pair comes twice, none that is in `labelled`.

    target: pairs of the pool for which the model is to be good (deployment prompts, rollouts); None: the
    candidates and the labelled pairs. arithmetic: who carries out the sums over all candidates. Without
    features the batch is drawn at random; what else could not be done stands in `notes`. Raises
    UnknownResponseError, PoolError.
    """
    if n < 0:
        raise ValueError(f"n is {n}; ask for zero or more pairs.")
    recipe = recipe or recipe_named(DEFAULT)
    pairs = pair_table(pool, candidates, labelled)
    size = min(n, len(pairs))
    if size == 0:
        none = (said("There is no open pair to choose from."),) if n else ()
        return Selection((), {}, len(pairs), 0, 0, None, None, none)
    if pool.features is None:
        return _blind(pool, pairs, n, size, rng)
    labels = label_table(pool, labelled)
    known = replace(_knowledge(pool, pairs, labels, target, recipe, rng), arithmetic=arithmetic)
    grown = grow(known, pairs.first, pairs.second, n=size, recipe=recipe, rng=rng, watched=True)
    notes = [*grown.notes, *([only_open(size, n)] if size < n else [])]
    errors = grown.stage.errors if "error" in grown.quotas else None
    if errors and not errors.held_out:
        notes.append(
            said("Too few held-out labels: errors were measured on training pairs and look too small.")
        )
    if errors and (errors.model.skill is None or errors.model.skill <= 0):
        notes.append(
            said("The model's errors cannot be predicted from similar pairs; that quota is a guess.")
        )
    return Selection(
        tuple(_describe(pool, pairs, known, grown)),
        dict[Reason, int](grown.quotas.items()),
        len(pairs),
        len(grown.kept),
        grown.prompt_cap,
        known.posterior.prior_precision,
        errors.model.skill if errors else None,
        tuple(notes),
    )


def only_open(size: int, n: int) -> Said:
    """That fewer pairs are chosen than were asked for."""
    return counted(
        size,
        "Only {n} open pair, {asked} were asked for.",
        "Only {n} open pairs, {asked} were asked for.",
        asked=n,
    )


def _blind(pool: ResponsePool, pairs: PairTable, n: int, size: int, rng: np.random.Generator) -> Selection:
    notes = (BLIND,) if size == n else (BLIND, only_open(size, n))
    chosen = []
    for rank, row in enumerate(rng.choice(len(pairs), size, replace=False), start=1):
        chance = float(pairs.sampling_probability[row]) * size / len(pairs)
        a, b = pairs.given(int(row))
        words = explain("random", PairScores(), chance, Context())
        ids = (str(pool.response_id[a]), str(pool.response_id[b]))
        chosen.append(SelectedPair(str(pool.prompt_id[a]), *ids, "random", rank, PairScores(), chance, words))
    return Selection(tuple(chosen), {"random": size}, len(pairs), size, 0, None, None, notes)


def _knowledge(
    pool: ResponsePool,
    pairs: PairTable,
    labels: Labels,
    target: CandidatePairs | None,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Knowledge:
    assert pool.features is not None  # noqa: S101  asked before
    both = [np.concatenate(sides) for sides in ((pairs.first, labels.first), (pairs.second, labels.second))]
    z = fit_projection(pool.features, both[0], both[1], rng, recipe.max_dimensions).apply(pool.features)
    prompt = np.unique(pool.prompt_id, return_inverse=True)[1]
    posterior = learn(z, prompt, labels, rng, prior_precision=recipe.prior_precision)
    aim_first, aim_second = target_table(pool, target) if target is not None else (None, None)
    members = None if pool.rewards is None else pool.rewards / pool.temperature
    return Knowledge(
        z,
        prompt,
        labels,
        posterior,
        cluster=pool.kind,
        members=members,
        tau=pool.tau,
        target_first=aim_first,
        target_second=aim_second,
    )


def _describe(pool: ResponsePool, pairs: PairTable, known: Knowledge, grown: Grown) -> Iterator[SelectedPair]:
    """Ids, scores and sentences, each pair the way round in which the caller gave it."""
    rows = np.array([pick.candidate for pick in grown.picks])
    first, second = pairs.first[rows], pairs.second[rows]
    scores = _scores(known, first, second, grown, rows)
    near = _nearest(known, first, second)
    even = grown.quotas.get("random", 0) / len(pairs)
    percentile = _percentiles(grown, scores)
    errors = grown.stage.errors if "error" in grown.quotas else None
    for rank, (pick, score) in enumerate(zip(grown.picks, scores, strict=True), start=1):
        turned = bool(pairs.swapped[pick.candidate])
        a, b = pairs.given(pick.candidate)
        if turned and score.probability is not None:
            score = _turned(score)
        chance = pick.chance
        if pick.rule == "random":
            chance = float(pairs.sampling_probability[pick.candidate]) * even
        context = Context(
            members=0 if known.members is None else known.members.shape[1],
            percentile=percentile[rank - 1],
            neighbours=errors.model.neighbours if errors else 0,
            mean_error=errors.model.mean_error if errors else 0.0,
            labelled=len(known.labels),
        )
        yield SelectedPair(
            prompt_id=str(pool.prompt_id[a]),
            response_a=str(pool.response_id[a]),
            response_b=str(pool.response_id[b]),
            reason=pick.rule,
            rank=rank,
            scores=score,
            propensity=chance,
            explanation=explain(pick.rule, score, chance, context),
            cluster=None if known.cluster is None else int(known.cluster[a]),
            neighbours=_named(pool, known.labels, near[rank - 1], turned),
        )


def _scores(
    known: Knowledge, first: Positions, second: Positions, grown: Grown, rows: Positions
) -> list[PairScores]:
    stakes = grown.stage.stakes()
    place = np.minimum(np.searchsorted(grown.kept, rows), len(grown.kept) - 1)
    seen = grown.kept[place] == rows
    errors = grown.stage.errors if "error" in grown.quotas else None
    return [
        replace(
            score,
            gain=pick.gain,
            stake=float(stakes[place[i]]) if seen[i] else None,
            expected_error=float(errors.expected[place[i]]) if errors and seen[i] else None,
        )
        for i, (pick, score) in enumerate(zip(grown.picks, pair_scores(known, first, second), strict=True))
    ]


def _turned(score: PairScores) -> PairScores:
    assert score.probability is not None  # noqa: S101
    return replace(score, probability=1.0 - score.probability)


def _percentiles(grown: Grown, scores: list[PairScores]) -> list[float]:
    """Share of the candidates on which the ensemble disagrees less; 0 without one."""
    if grown.stage.known.members is None or not {"uncertainty", "disagreement"} & set(grown.quotas):
        return [0.0] * len(scores)
    doubts = np.sort(grown.stage.differences.disagreement)
    return [float(np.searchsorted(doubts, score.disagreement or 0.0)) / len(doubts) for score in scores]


def _nearest(known: Knowledge, first: Positions, second: Positions) -> list[list[tuple[int, float]]]:
    """Of each pick the labelled pairs most like it: (label, signed cosine), nearest first."""
    labels = known.labels
    if not len(labels):
        return [[] for _ in first]
    x = _unit(known.z[first] - known.z[second])
    y = _unit(known.z[labels.first] - known.z[labels.second])
    found = []
    for row in x:
        cosine = y @ row
        best = np.argsort(-np.abs(cosine), kind="stable")[:NEIGHBOURS]
        found.append([(int(i), float(cosine[i])) for i in best])
    return found


def _unit(x: Reals) -> Floats:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _named(
    pool: ResponsePool, labels: Labels, near: list[tuple[int, float]], turned: bool
) -> tuple[Neighbour, ...]:
    found = []
    for label, cosine in near:
        along = (cosine < 0) == turned
        share = float(labels.share[label])
        a, b = (str(pool.response_id[side[label]]) for side in (labels.first, labels.second))
        found.append(Neighbour(a, b, min(abs(cosine), 1.0), share if along else 1.0 - share))
    return tuple(found)

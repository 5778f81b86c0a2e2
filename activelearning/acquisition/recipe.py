"""The recipe: which pairs people should judge next, and why each of them.

Of a batch, an audit share (10 %) is drawn uniformly at random from all candidates and is the only part on
which the model may be evaluated; the rest is 50 % uncertainty (rank average of disagreement and margin), 30
% diversity (D-optimal gain) and 20 % where the model errs. Quotas are met exactly by largest remainder and
interleaved, so a batch stopped half-way still follows the recipe.

Every pick, audit included, updates the posterior at once. An uncertain or error-prone pair most of whose
information earlier picks have taken is passed over; so is the next pair of a prompt at its cap (four times
the fair share, audit pairs neither capped nor counted). Where these rules would leave a quota unmet they
give way: the cap is raised before picking starts, redundancy and the density floor when nothing else is
left. Deterministic given rng, and independent of the order of candidates and of a and b.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.design_space import (
    ErrorEstimate,
    PairTable,
    Space,
    build_space,
    estimate_errors,
    label_table,
    pair_table,
)
from activelearning.acquisition.diversity import GreedyDesign, density_floor, thin
from activelearning.acquisition.margin import probability, vote_variance
from activelearning.acquisition.pool import CandidatePairs, Floats, LabelledPairs, Positions, ResponsePool
from activelearning.acquisition.quotas import Reason, RecipeConfig, interleave, plan_quotas, prompt_cap
from activelearning.acquisition.selection import Context, PairScores, SelectedPair, Selection, explain
from activelearning.acquisition.uncertainty import PairDifferences, combined_uncertainty, pair_differences

NO_INFORMATION = 1e-9


@dataclass(frozen=True)
class _Pick:
    """A candidate (position in the pair table), why it was picked, and its gain at that moment."""

    candidate: int
    reason: Reason
    gain: float


def select_batch(
    pool: ResponsePool,
    candidates: CandidatePairs,
    labelled: LabelledPairs | None = None,
    *,
    n: int,
    rng: np.random.Generator,
    config: RecipeConfig | None = None,
) -> Selection:
    """Choose min(n, open candidates) pairs. No pair comes twice, none that is in `labelled`.

    Without rewards (cold start) the uncertainty and error quotas are drawn at random; without at least 20
    labelled pairs the error quota goes to the others; `notes` says so. Raises UnknownResponseError,
    PoolError.
    """
    if n < 0:
        raise ValueError(f"n is {n}; ask for zero or more pairs.")
    config = config or RecipeConfig()
    pairs = pair_table(pool, candidates, labelled)
    size = min(n, len(pairs))
    if size == 0:
        return Selection(
            (), {}, len(pairs), 0, 0, None, ("There is no open pair to choose from.",) if n else ()
        )
    scored = _score(pool, pairs, config)
    kept = thin(scored.uncertainty if scored else None, len(pairs), max(config.keep, 4 * size), rng)
    space, errors = _learn(pool, pairs, scored, kept, labelled, rng, config)
    quotas, notes = plan_quotas(
        size,
        config,
        features=pool.features is not None,
        ensemble=scored is not None,
        errors=errors is not None,
    )
    audit = rng.choice(len(pairs), quotas["audit"], replace=False)
    batch = _Batch(pairs, kept, space, scored, errors, audit, size, rng, config)
    picks = [batch.take(reason) for reason in interleave(quotas)]
    if size < n:
        notes.append(f"Only {size} open pairs, {n} were asked for.")
    notes += _error_notes(errors)
    selected = _describe(pool, pairs, scored, errors, batch, picks, quotas["audit"], labelled)
    skill = errors.model.skill if errors else None
    return Selection(selected, quotas, len(pairs), len(kept), batch.cap, skill, tuple(notes))


def _error_notes(errors: ErrorEstimate | None) -> list[str]:
    notes = []
    if errors and not errors.held_out:
        notes.append("Too few held-out labels: errors were measured on training pairs and look too small.")
    if errors and (errors.model.skill is None or errors.model.skill <= 0):
        notes.append("The model's errors cannot be predicted from similar pairs; that quota is a guess.")
    return notes


@dataclass(frozen=True, eq=False)
class _Scored:
    """Ensemble scores of all N pairs; uncertainty is the combined rank score."""

    differences: PairDifferences
    uncertainty: Floats


def _score(pool: ResponsePool, pairs: PairTable, config: RecipeConfig) -> _Scored | None:
    if pool.rewards is None:
        return None
    differences = pair_differences(pool.rewards, pairs.first, pairs.second, pool.temperature)
    doubt = differences.bald if config.doubt == "bald" else differences.disagreement
    return _Scored(differences, combined_uncertainty(doubt, differences.mean))


def _learn(
    pool: ResponsePool,
    pairs: PairTable,
    scored: _Scored | None,
    kept: Positions,
    labelled: LabelledPairs | None,
    rng: np.random.Generator,
    config: RecipeConfig,
) -> tuple[Space, ErrorEstimate | None]:
    """The comparison space, with the posterior after the labels, and the expected errors of the kept
    pairs.
    """
    features = pool.features if pool.features is not None else np.zeros((len(pool.response_id), 1))
    labels = label_table(pool, labelled) if labelled is not None and len(labelled) else None
    prompt_of = np.unique(pool.prompt_id, return_inverse=True)[1]
    space = build_space(
        features,
        pairs,
        prompt_of,
        labels,
        rng,
        max_dimensions=config.max_dimensions,
        prior_precision=config.prior_precision,
    )
    if scored is None or config.error == 0:
        return space, None
    first, second, mean = pairs.first[kept], pairs.second[kept], scored.differences.mean[kept]
    return space, estimate_errors(space, pool, prompt_of, labels, first, second, mean, rng)


class _Batch:
    """The batch as it grows: what is still open, what each prompt has taken, what the picks have taught."""

    def __init__(
        self,
        pairs: PairTable,
        kept: Positions,
        space: Space,
        scored: _Scored | None,
        errors: ErrorEstimate | None,
        audit: Positions,
        size: int,
        rng: np.random.Generator,
        config: RecipeConfig,
    ) -> None:
        self._pairs, self._kept, self._space, self._scored, self._errors = pairs, kept, space, scored, errors
        x = space.differences(pairs.first[kept], pairs.second[kept])
        self._design = GreedyDesign(x, self._variance(kept), space.covariance)
        self._initial = self._design.gains()
        self.median_gain = float(np.median(self._initial))
        self._dense = density_floor(x, config.outlier_quantile)
        self._share_left = 1.0 - config.redundancy
        self._audit = iter(audit.tolist())
        self._open = ~np.isin(kept, audit)
        self._prompt = pairs.prompt[kept]
        self._taken = np.zeros(int(pairs.prompt.max()) + 1, dtype=np.int64)
        open_per_prompt = np.unique(self._prompt[self._open], return_counts=True)[1].astype(np.int64)
        self.cap = prompt_cap(size - len(audit), open_per_prompt, config.prompt_cap)
        tie = rng.permutation(len(kept))
        self._uncertain = self._walk(scored.uncertainty[kept] if scored else np.zeros(0), tie)
        self._wrong = self._walk(errors.expected if errors else np.zeros(0), tie)

    def take(self, reason: Reason) -> _Pick:
        """The next pick for this reason; quotas and cap were planned so that there always is one."""
        if reason == "audit":
            candidate = next(self._audit)
            x = self._space.differences(self._pairs.first[[candidate]], self._pairs.second[[candidate]])[0]
            return _Pick(candidate, reason, self._design.observe(x, float(self._variance([candidate])[0])))
        if reason == "diversity":
            index = self._most_diverse()
        else:
            index = next(self._uncertain if reason == "uncertainty" else self._wrong)
        self._close(index)
        return _Pick(int(self._kept[index]), reason, self._design.pick(index))

    def expected_error(self, candidate: int) -> float | None:
        """ê of a candidate, None where it was thinned away or there is no error model."""
        place = int(np.searchsorted(self._kept, candidate))
        if self._errors is None or place == len(self._kept) or self._kept[place] != candidate:
            return None
        return float(self._errors.expected[place])

    def _variance(self, candidates: Positions | list[int]) -> Floats:
        mean = self._scored.differences.mean[candidates] if self._scored else np.zeros(len(candidates))
        return vote_variance(mean)

    def _walk(self, score: Floats, tie: Positions) -> Iterator[int]:
        """Open candidates from the highest score down, the redundant ones last. Looked at only when asked."""
        order = np.lexsort((tie, -score)).tolist() if len(score) else []
        for index in order:
            if self._open[index] and not self._redundant(index):
                yield index
        for index in order:
            if self._open[index]:
                yield index

    def _redundant(self, index: int) -> bool:
        floor = max(self._share_left * float(self._initial[index]), NO_INFORMATION)
        return self._design.gain(index) <= floor

    def _most_diverse(self) -> int:
        index = self._design.best(self._open & self._dense)
        if index is None:
            index = self._design.best(self._open)
        if index is None:
            raise AssertionError("the cap left the diversity quota without candidates")
        return index

    def _close(self, index: int) -> None:
        self._open[index] = False
        prompt = self._prompt[index]
        self._taken[prompt] += 1
        if self._taken[prompt] >= self.cap:
            self._open[self._prompt == prompt] = False


def _describe(
    pool: ResponsePool,
    pairs: PairTable,
    scored: _Scored | None,
    errors: ErrorEstimate | None,
    batch: _Batch,
    picks: list[_Pick],
    audit_quota: int,
    labelled: LabelledPairs | None,
) -> tuple[SelectedPair, ...]:
    """Ids, scores and sentences, each pair the way round in which the caller gave it."""
    doubts = np.sort(scored.differences.disagreement) if scored else np.zeros(0)
    described = []
    for rank, pick in enumerate(picks, start=1):
        at, turned = pick.candidate, bool(pairs.swapped[pick.candidate])
        a, b = (pairs.second[at], pairs.first[at]) if turned else (pairs.first[at], pairs.second[at])
        scores = _pair_scores(pool, scored, batch, pick, turned)
        chance = None
        if pick.reason == "audit":
            chance = float(pairs.sampling_probability[at]) * audit_quota / len(pairs)
        lower = 0.0
        if scores.disagreement is not None:
            lower = float(np.searchsorted(doubts, scores.disagreement)) / len(doubts)
        context = Context(
            members=pool.rewards.shape[1] if pool.rewards is not None else 0,
            percentile=lower,
            median_gain=batch.median_gain,
            neighbours=errors.model.neighbours if errors else 0,
            mean_error=errors.model.mean_error if errors else 0.0,
            labelled=len(labelled) if labelled is not None else 0,
        )
        described.append(
            SelectedPair(
                prompt_id=str(pool.prompt_id[a]),
                response_a=str(pool.response_id[a]),
                response_b=str(pool.response_id[b]),
                reason=pick.reason,
                rank=rank,
                scores=scores,
                propensity=chance,
                explanation=explain(pick.reason, scores, chance, context),
            )
        )
    return tuple(described)


def _pair_scores(
    pool: ResponsePool, scored: _Scored | None, batch: _Batch, pick: _Pick, turned: bool
) -> PairScores:
    gain = pick.gain if pool.features is not None else None
    if scored is None:
        return PairScores(None, None, None, gain, None)
    mean = scored.differences.mean[pick.candidate]
    return PairScores(
        disagreement=float(scored.differences.disagreement[pick.candidate]),
        margin=abs(float(mean)),
        probability=float(probability(np.array([-mean if turned else mean]))[0]),
        gain=gain,
        expected_error=batch.expected_error(pick.candidate),
    )

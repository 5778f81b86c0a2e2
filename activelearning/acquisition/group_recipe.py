"""Which groups of responses people should rank or rate next, and why: ids in, ids and reasons out.

A recipe's random share is drawn first, by chance alone; the rest goes greedily to the groups that gain most
by the design of the recipe (`groups.choose_groups`), the drawn ones and every pick learned of at once.
Candidates are the groups that wait as items and, of each prompt with free responses, one that is formed of
its most telling pair and what adds most; where those are few, more are formed of what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic
from activelearning.acquisition.describing import pair_scores
from activelearning.acquisition.explaining import explain_group
from activelearning.acquisition.group_pool import DrawnGroup, OpenGroups, draw_groups
from activelearning.acquisition.groups import choose_groups, form_groups
from activelearning.acquisition.knowledge import Knowledge, learn
from activelearning.acquisition.pairs import label_table, target_table
from activelearning.acquisition.pool import CandidatePairs, Floats, LabelledPairs, Positions, ResponsePool
from activelearning.acquisition.projection import fit_projection
from activelearning.acquisition.quotas import BLIND, Recipe, Rule, interleave, largest_remainder
from activelearning.acquisition.rules import target_moment
from activelearning.acquisition.selection import PairScores, Reason, SelectedPair, Selection
from activelearning.acquisition.wording import Said, counted, said

MOST_RESPONSES = 64  # of one prompt, that a group is formed of: a sample holds groups as good
AMPLE = 2  # so many candidates for each group wanted, where the prompts have them

NO_OPEN = said("There is no open group of responses to choose from.")


@dataclass(frozen=True)
class GroupSelection:
    """selection: of each group the pair that tells most, or was drawn, with the scores of that pair; gain and
    stake are those of the whole group. groups: the response ids of each, in the same order."""

    selection: Selection
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class _Pick:
    rows: Positions
    pair: tuple[int, int]
    rule: Rule
    chance: float | None = None
    gain: float | None = None
    stake: float | None = None


def select_groups(
    pool: ResponsePool,
    found: OpenGroups,
    labelled: LabelledPairs | None = None,
    *,
    n: int,
    size: int,
    rng: np.random.Generator,
    recipe: Recipe,
    target: CandidatePairs | None = None,
    arithmetic: Arithmetic = NUMPY,
) -> GroupSelection:
    """Up to n groups, new ones of at most `size` responses; fewer where no more are open. No group twice.

    found: as rows of the pool. labelled: pairs within the answers so far, each with 2/k of the votes on its
    group of k. target: pairs for which the model is to be good; None: the open and the labelled ones.
    arithmetic: as for `select_batch`. Without features all is drawn at random. Raises PoolError for a size
    below 2.
    """
    if n < 0:
        raise ValueError(f"n is {n}; ask for zero or more groups.")
    rule = rule_of(recipe)
    if pool.features is None or rule == "random":
        notes = [] if rule == "random" else [BLIND]
        picks = [_by_chance(one) for one in draw_groups(found, n, size, rng)]
        return _selection(pool, found, None, picks, n, notes)
    quotas = largest_remainder(n, {rule: 1.0 - recipe.random_share, "random": recipe.random_share})
    drawn = draw_groups(found, quotas["random"], size, rng)
    known = replace(_knowledge(pool, found, labelled, target, recipe, rng), arithmetic=arithmetic)
    if not len(known.labels) and known.members is None:
        rule = "d_optimal" if recipe.cold_start == "d_optimal" else "i_optimal"
    if recipe.prompt_effect is not None:
        known = known.told_by_prompts(recipe.prompt_effect)
    picks = _chosen(known, found, drawn, quotas[rule_of(recipe)], size, rule, recipe, rng)
    notes = []
    if rule_of(recipe) not in {part.rule for part in recipe.parts}:
        notes.append(
            said(
                "The recipe “{recipe}” scores single pairs: groups are chosen by what they decide.",
                recipe=recipe.name,
            )
        )
    return _selection(pool, found, known, [*map(_by_chance, drawn), *picks], n, notes)


def rule_of(recipe: Recipe) -> Rule:
    """By which design groups are chosen: that of the main part; without one by the winners they decide."""
    if recipe.random_share >= 1:
        return "random"
    most = max(recipe.parts, key=lambda part: part.share).rule
    return most if most in ("regret", "i_optimal", "d_optimal", "random") else "regret"


def _knowledge(
    pool: ResponsePool,
    found: OpenGroups,
    labelled: LabelledPairs | None,
    target: CandidatePairs | None,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Knowledge:
    assert pool.features is not None  # noqa: S101  asked before
    labels = label_table(pool, labelled)
    first, second = found.pairs()
    both = [np.concatenate(sides) for sides in ((first, labels.first), (second, labels.second))]
    z = fit_projection(pool.features, both[0], both[1], rng, recipe.max_dimensions).apply(pool.features)
    aim = target_table(pool, target) if target is not None else (None, None)
    return Knowledge(
        z,
        found.prompt,
        labels,
        learn(z, found.prompt, labels, rng, prior_precision=recipe.prior_precision),
        members=None if pool.rewards is None else pool.rewards / pool.temperature,
        tau=pool.tau,
        target_first=aim[0],
        target_second=aim[1],
    )


def _chosen(
    known: Knowledge,
    found: OpenGroups,
    drawn: list[DrawnGroup],
    n: int,
    size: int,
    rule: Rule,
    recipe: Recipe,
    rng: np.random.Generator,
) -> list[_Pick]:
    moment = None
    if rule != "d_optimal":
        moment = target_moment(known, *found.pairs(), rng, regret=rule == "regret")
    rest = found.asked(one.rows for one in drawn)
    groups = _candidates(known, rest, n, size, moment, rng)
    if sum(len(rows) * (len(rows) - 1) // 2 for rows in groups) > recipe.keep:
        groups = _kept(known, groups, rest, moment, recipe.keep)
    picks = choose_groups(
        known, groups, n, target=moment, closed=rest.taken, asked=[one.rows for one in drawn]
    )
    middle = float(np.median(picks.at_first)) if len(groups) else 0.0
    return [
        _Pick(
            groups[place],
            pair,
            rule,
            gain=float(told),
            stake=float(picks.at_first[place]) / middle if middle > 0 else None,
        )
        for place, pair, told in zip(picks.groups, picks.decisive, picks.information, strict=True)
    ]


def _candidates(
    known: Knowledge,
    found: OpenGroups,
    n: int,
    size: int,
    moment: Floats | None,
    rng: np.random.Generator,
) -> list[Positions]:
    """What waits and, of the free responses, a group a prompt; more of them where that is not ample."""
    groups = list(found.waiting)
    while len(found.free):
        few = [
            rows if len(rows) <= MOST_RESPONSES else np.sort(rng.choice(rows, MOST_RESPONSES, replace=False))
            for rows in found.free
        ]
        formed = form_groups(known, few, size, target=moment, closed=found.covered)
        groups += formed
        if not formed or len(groups) >= AMPLE * n:
            break
        found = found.asked(formed)
    return groups


def _kept(
    known: Knowledge, groups: list[Positions], found: OpenGroups, moment: Floats | None, keep: int
) -> list[Positions]:
    """Those that gain most alone, with at most `keep` pairs: the only ones that greedy selection looks at."""
    alone = choose_groups(known, groups, 0, target=moment, closed=found.taken).at_first
    order = np.argsort(-alone, kind="stable")
    sizes = np.array([len(groups[place]) * (len(groups[place]) - 1) // 2 for place in order])
    many = int(np.searchsorted(np.cumsum(sizes), keep, side="right"))
    return [groups[place] for place in np.sort(order[: max(many, 1)])]


def _by_chance(one: DrawnGroup) -> _Pick:
    return _Pick(one.rows, one.pair, "random", one.chance)


def _selection(
    pool: ResponsePool,
    found: OpenGroups,
    known: Knowledge | None,
    picks: list[_Pick],
    n: int,
    notes: list[Said],
) -> GroupSelection:
    by_rule: dict[Rule, list[_Pick]] = {}
    for pick in picks:
        by_rule.setdefault(pick.rule, []).append(pick)
    quotas = {rule: len(of_rule) for rule, of_rule in by_rule.items()}
    ordered = [by_rule[rule].pop(0) for rule in interleave(quotas)]
    if n and not ordered:
        notes = [NO_OPEN]
    elif len(ordered) < n:
        notes = [*notes, only_open(len(ordered), n)]
    scores = [PairScores() for _ in ordered] if known is None else _scores(known, ordered)
    pairs = tuple(
        _described(pool, pick, score, rank)
        for rank, (pick, score) in enumerate(zip(ordered, scores, strict=True), start=1)
    )
    groups = tuple(tuple(pool.response_id[pick.rows].tolist()) for pick in ordered)
    precision = None if known is None else known.posterior.prior_precision
    return GroupSelection(
        Selection(
            pairs, dict[Reason, int](quotas.items()), len(found), len(found), 0, precision, None, tuple(notes)
        ),
        groups,
    )


def _scores(known: Knowledge, picks: list[_Pick]) -> list[PairScores]:
    """Of each pick's pair before the batch; gain and stake of its whole group."""
    first, second = (np.array([pick.pair[side] for pick in picks], dtype=np.int64) for side in (0, 1))
    found = pair_scores(known, first, second)
    return [
        replace(score, gain=pick.gain, stake=pick.stake) for pick, score in zip(picks, found, strict=True)
    ]


def _described(pool: ResponsePool, pick: _Pick, score: PairScores, rank: int) -> SelectedPair:
    a, b = pick.pair
    return SelectedPair(
        prompt_id=str(pool.prompt_id[a]),
        response_a=str(pool.response_id[a]),
        response_b=str(pool.response_id[b]),
        reason=pick.rule,
        rank=rank,
        scores=score,
        propensity=pick.chance,
        explanation=explain_group(pick.rule, len(pick.rows), score, pick.chance),
    )


def only_open(size: int, n: int) -> Said:
    """That fewer groups are chosen than were asked for."""
    return counted(
        size,
        "Only {n} open group, {asked} were asked for.",
        "Only {n} open groups, {asked} were asked for.",
        asked=n,
    )

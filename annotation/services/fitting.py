"""From votes to the chances of a, tie and b on each pair, by the method a project has chosen.

What a method learns of the annotators is stored and then stands still: a label is a function of the votes on
its own pair and of that fit, so that labels made one by one as votes arrive are those made all at once.
Somebody whom the fit has not met counts as one of the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annotation.aggregation import competence as knowing
from annotation.aggregation import dawid_skene as confusing
from annotation.aggregation.competence import Competences
from annotation.aggregation.dawid_skene import Confusions
from annotation.aggregation.shares import FloatArray, IntArray, weighted_vote_shares
from annotation.aggregation.votes import Votes, votes_of
from annotation.bulk_reads import Kind, read
from annotation.models.project import Project
from annotation.models.quality import AggregationFit
from annotation.pair_votes import votes_sql

# An expert's decisions are numbered apart from the votes the same person gave as one of the annotators.
_VOTES = """
    SELECT v.item_id, v.a_at, v.b_at, 1 - v.lead AS outcome, v.swapped, v.counts, v.expert,
           CASE WHEN v.expert THEN -v.annotator_id ELSE v.annotator_id END AS annotator_id
    FROM ({votes}) v WHERE v.criterion = %(criterion)s AND {where}
"""
_COLUMNS: dict[str, Kind] = {
    "item_id": "bigint", "a_at": "smallint", "b_at": "smallint", "outcome": "smallint", "swapped": "bool",
    "counts": "bool", "expert": "bool", "annotator_id": "bigint",
}  # fmt: skip


PLACES = 256  # of responses in an item, more than there ever are


@dataclass(frozen=True, eq=False)
class PairVotes:
    """The votes under one criterion, and what the numbers of their pairs and annotators stand for.

    item, a_at, b_at: (pairs,). annotator: (annotators,) ids, those of experts' decisions negative.
    """

    votes: Votes
    item: IntArray
    a_at: IntArray
    b_at: IntArray
    annotator: IntArray


@dataclass(frozen=True, eq=False)
class PairLabels:
    """Pairs with a vote of any weight. p: (pairs, 3) chances of a, tie, b. votes: that count."""

    item: IntArray
    a_at: IntArray
    b_at: IntArray
    p: FloatArray
    votes: IntArray
    effective: FloatArray


def read_votes(
    project: Project, criterion: str, *, items: Sequence[int] | None = None, experts: bool = True
) -> PairVotes:
    """All votes, or those on some items; who is paused or excluded weighs 0, an expert's decision more."""
    where = "true" if items is None else "v.item_id = ANY(%(items)s)"
    where += "" if experts else " AND NOT v.expert"
    values = {"project": project.pk, "criterion": criterion, "items": list(items or ())}
    rows = read(_VOTES.format(votes=votes_sql(project), where=where), values, _COLUMNS)
    of_pair = rows["item_id"] * PLACES**2 + rows["a_at"] * PLACES + rows["b_at"]
    _, pairs, pair = np.unique(of_pair, return_index=True, return_inverse=True)
    annotators, annotator = np.unique(rows["annotator_id"], return_inverse=True)
    weight = np.where(rows["counts"], np.where(rows["expert"], project.expert_weight, 1), 0)
    votes = votes_of(
        pair,
        annotator,
        rows["outcome"],
        pairs=len(pairs),
        annotators=len(annotators),
        weight=weight,
        swapped=rows["swapped"],
    )
    return PairVotes(votes, rows["item_id"][pairs], rows["a_at"][pairs], rows["b_at"][pairs], annotators)


def fit(method: str, given: PairVotes) -> dict[str, Any]:
    """What the method learns from the votes, as JSON holds it. Vote shares learn nothing."""
    if method == Project.Aggregation.COMPETENCE:
        known = knowing.competence(given.votes).learned
        return {
            "annotator": given.annotator.tolist(),
            "knows": known.knows.tolist(),
            "guess": known.guess.tolist(),
            "group_knows": known.group_knows,
            "group_guess": known.group_guess.tolist(),
            "possible": known.possible.tolist(),
        }
    if method == Project.Aggregation.DAWID_SKENE:
        confused = confusing.dawid_skene(given.votes).learned
        return {
            "annotator": given.annotator.tolist(),
            "prior": confused.prior.tolist(),
            "matrix": confused.matrix.tolist(),
            "group": confused.group.tolist(),
        }
    return {}


def label(method: str, fitted: AggregationFit | None, given: PairVotes) -> PairLabels:
    """Labels under a fit, of pairs with a vote that counts. The fit is the method's, or none for shares."""
    votes = given.votes.taken(given.votes.weight > 0)
    count = np.bincount(votes.pair, minlength=votes.pairs)
    pairs, votes = _dense(votes)
    if fitted is None:
        shares = weighted_vote_shares(votes.pair, votes.outcome, votes.weight, pairs=votes.pairs)
        p = np.stack([shares.p_a, shares.p_tie, shares.p_b], axis=1)
        effective = shares.effective_votes
    else:
        known = fitted.parameters
        place = _place(np.asarray(known["annotator"], dtype=np.int64), given.annotator)
        annotators = len(known["annotator"]) + 1
        votes = replace(votes, annotator=place[votes.annotator], annotators=annotators)
        p, skill = _posterior(method, known, votes)
        worth = votes.weight * skill[votes.annotator]
        effective = np.bincount(votes.pair, weights=worth, minlength=votes.pairs).astype(np.float64)
    return PairLabels(given.item[pairs], given.a_at[pairs], given.b_at[pairs], p, count[pairs], effective)


def fits(fitted: AggregationFit, given: PairVotes) -> bool:
    """Whether every answer among the votes is one that the fit knows of: not the first ties of a project."""
    known = fitted.parameters
    possible = np.asarray(known["possible"] if "possible" in known else known["prior"]) > 0
    return bool(possible[np.unique(given.votes.outcome)].all())


def skills(fitted: AggregationFit) -> dict[int, float]:
    """For how much of a vote each annotator's counts; under the key 0 what somebody new counts."""
    known = fitted.parameters
    learned = _competences(known) if "knows" in known else _confusions(known)
    return dict(zip([*known["annotator"], 0], _skill(learned).tolist(), strict=True))


def _posterior(method: str, known: dict[str, Any], votes: Votes) -> tuple[FloatArray, FloatArray]:
    """T of the votes' pairs, and for how much of a vote each annotator's counts; the group comes last."""
    if method == Project.Aggregation.COMPETENCE:
        learned = _competences(known)
        return knowing.posterior(votes, learned), _skill(learned)
    confused = _confusions(known)
    return confusing.posterior(votes, confused), _skill(confused)


def _skill(learned: Competences | Confusions) -> FloatArray:
    return learned.knows if isinstance(learned, Competences) else confusing.competence(learned)


def _competences(known: dict[str, Any]) -> Competences:
    group = np.asarray(known["group_guess"])
    return Competences(
        np.append(known["knows"], known["group_knows"]),
        np.vstack([np.asarray(known["guess"]).reshape(-1, 3), group]),
        known["group_knows"],
        group,
        np.asarray(known["possible"]),
    )


def _confusions(known: dict[str, Any]) -> Confusions:
    matrices = np.concatenate([np.asarray(known["matrix"]).reshape(-1, 3, 3), [known["group"]]])
    return Confusions(np.asarray(known["prior"]), matrices, np.asarray(known["group"]))


def _dense(votes: Votes) -> tuple[IntArray, Votes]:
    """The pairs that have votes, and the votes with these pairs numbered from 0."""
    pairs, pair = np.unique(votes.pair, return_inverse=True)
    return pairs, replace(votes, pair=pair, pairs=len(pairs))


def _place(known: IntArray, asked: IntArray) -> IntArray:
    """The place of each id among the known ones, which are sorted; one beyond the last for a new one."""
    place = np.searchsorted(known, asked)
    found = np.zeros(len(asked), dtype=bool)
    inside = place < len(known)
    found[inside] = known[place[inside]] == asked[inside]
    return np.where(found, place, len(known))

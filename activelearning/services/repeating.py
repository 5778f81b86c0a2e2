"""Repeat or new: which judged pairs of a project are worth one more vote in the next batch.

The gain of a vote is reckoned as for a batch: on every open pair and on every judged one, from the posterior
that the labels give (see acquisition.repeat). A pair is asked about again only when it is done, has no
expert's decision, measures nothing, and somebody at work here has not answered it yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, Q

from activelearning.acquisition.design import GreedyDesign
from activelearning.acquisition.knowledge import Knowledge, Labels, learn, outlook
from activelearning.acquisition.pair_effect import pair_effect_variance
from activelearning.acquisition.pairs import label_table
from activelearning.acquisition.pool import CandidatePairs, Floats, LabelledPairs, Positions, ResponsePool
from activelearning.acquisition.posterior import moderated_probability
from activelearning.acquisition.projection import fit_projection
from activelearning.acquisition.repeat import (
    PairVotes,
    RepeatConfig,
    label_change,
    plan_repeats,
    value_of_votes,
)
from activelearning.acquisition.target import moment
from activelearning.acquisition.wording import Said
from activelearning.models import SelectedPair
from annotation.models.project import Project
from annotation.models.quality import AggregationFit, SoftLabel
from annotation.models.standing import Standing
from annotation.models.work import Assignment, Item, Judgment
from annotation.services import fitting

MOST_NEW = 100_000  # open pairs that repeats are weighed against: a sample tells their worth well enough


@dataclass(frozen=True)
class PlannedRepeat:
    """One more vote on a judged item, and what its label was before it: (share of a, effective votes)."""

    item: int
    response_a: int
    response_b: int
    explanation: tuple[Said, ...]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Plan:
    """most_votes: on one pair, all told."""

    repeats: tuple[PlannedRepeat, ...] = ()
    most_votes: int = 1


def plan(
    *,
    project: Project,
    pool: ResponsePool,
    candidates: CandidatePairs,
    labelled: LabelledPairs | None,
    n: int,
    share: float,
    rng: np.random.Generator,
    prompt_effect: float | None = None,
) -> Plan:
    """At most `share` of a batch of `n`, none where there is nothing to learn from. Changes nothing.

    prompt_effect: the recipe's, so that a vote is worth the same here and there.
    """
    people = _people(project)
    most = min(RepeatConfig().most_votes, len(people))
    if pool.features is None or labelled is None or int(share * n + 1e-9) < 1 or most < 2:
        return Plan()
    asked = _askable(project, most)
    if not asked:
        return Plan()
    labels = label_table(pool, labelled)
    few = _sample(candidates, rng)
    row_of = {int(pk): row for row, pk in enumerate(pool.response_id)}
    first, second = (
        np.concatenate([of_open[few], [row_of[pk] for pk in of_asked]]).astype(np.int64)
        for of_open, of_asked in (
            (candidates.first, [one.response_a_id for one in asked]),
            (candidates.second, [one.response_b_id for one in asked]),
        )
    )
    reliability = _reliability(project, people)
    known = _knowledge(pool, labels, first, second, rng, prompt_effect)
    gain, mean, variance = _gains(known, first, second, len(few), rng)
    effect = _effect(known, reliability)
    config = RepeatConfig(most_votes=most, share=share, **({} if effect is None else {"pair_effect": effect}))
    votes = _votes(project, len(few), asked)
    values = value_of_votes(
        votes, gain, moderated_probability(mean, variance), variance, reliability=reliability, config=config
    )
    found = plan_repeats(votes, values, n, config)
    repeats = []
    for one in found.repeats:
        label = asked[one.position - len(few)]
        scores = {"value": one.value, "replaced": one.replaced, **_state(label)}
        ids = (label.item_id, label.response_a_id, label.response_b_id)
        repeats.append(PlannedRepeat(*ids, (one.sentence,), scores))
    return Plan(tuple(repeats), most)


def _askable(project: Project, most: int) -> list[SoftLabel]:
    """Labels of done pairs with fewer votes than `most` which do not measure anything."""
    live = Q(judgments__live=True)
    held = Assignment.objects.filter(item__project=project, state=Assignment.State.OPEN)
    decided = Judgment.objects.filter(item__project=project, live=True, source=Judgment.Source.EXPERT)
    done = (
        Item.objects.filter(project=project, slots_left=0, is_gold=False, retired_at=None)
        .filter(prompt__audit=False)
        .exclude(pk__in=held.values("item"))
        .exclude(pk__in=decided.values("item"))
        .annotate(live=Count("judgments", filter=live))
        .filter(live__gt=0, live__lt=most)
    )
    labels = SoftLabel.objects.filter(
        project=project,
        criterion=project.main_criterion,
        effective_votes__gt=0,
        votes__lt=most,
        item__in=done.values("pk"),
    )
    return list(labels.order_by("pk"))


def _knowledge(
    pool: ResponsePool,
    labels: Labels,
    first: Positions,
    second: Positions,
    rng: np.random.Generator,
    prompt_effect: float | None,
) -> Knowledge:
    assert pool.features is not None  # noqa: S101  asked before
    z = fit_projection(pool.features, first, second, rng).apply(pool.features)
    prompt = np.unique(pool.prompt_id, return_inverse=True)[1]
    known = Knowledge(z, prompt, labels, learn(z, prompt, labels, rng))
    return known if prompt_effect is None else known.told_by_prompts(prompt_effect)


def _gains(
    known: Knowledge, first: Positions, second: Positions, new: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Gain, μ and s² of every pair, the first `new` of them open."""
    view = outlook(known, first, second)
    aimed = slice(0, new) if new else slice(None)
    target = moment(known.z, first[aimed], second[aimed], posterior=known.posterior, rng=rng)
    design = GreedyDesign(
        known.z,
        first,
        second,
        view.information,
        known.posterior.covariance,
        target,
        effects=known.effects,
    )
    return design.gains(), view.mean, view.variance


def _effect(known: Knowledge, reliability: float) -> float | None:
    """ω² of a pair's own, where held-out labels tell it."""
    labels = known.labels
    apart = labels.held_out
    unseen = outlook(known, labels.first[apart], labels.second[apart])
    return pair_effect_variance(
        labels.shares[apart], labels.votes[apart], unseen.mean, reliability=reliability
    ).variance


def _votes(project: Project, new: int, asked: Sequence[SoftLabel]) -> PairVotes:
    """The open pairs, nameless, and after them the judged ones."""
    before = _before(project)
    change = []
    for label in asked:
        share, effective = before.get(label.item_id, (0.0, -1.0))
        now = _state(label)
        known = 0 <= effective < now["effective"]
        arrays = (np.array([value]) for value in (share, effective, now["share"], now["effective"]))
        change.append(float(label_change(*arrays)[0]) if known else np.nan)
    shares = [[one.p_a, one.p_tie, one.p_b] for one in asked]
    return PairVotes(
        pair_id=np.array([*[""] * new, *(str(one.item_id) for one in asked)]),
        shares=np.concatenate([np.zeros((new, 3)), np.array(shares)]),
        votes=np.concatenate([np.zeros(new), [one.votes for one in asked]]),
        effective=np.concatenate([np.zeros(new), [_state(one)["effective"] for one in asked]]),
        last_change=np.concatenate([np.full(new, np.nan), change]),
    )


def _state(label: SoftLabel) -> dict[str, float]:
    effective = min(label.effective_votes, float(label.votes))  # an expert's vote may count as several
    return {"share": label.p_a + label.p_tie / 2, "effective": effective}


def _before(project: Project) -> dict[int, tuple[float, float]]:
    """Of each item that was asked about again: its label's share and effective votes then."""
    rows = SelectedPair.objects.filter(batch__project=project, reason=SelectedPair.Reason.REPEAT)
    found: dict[int, tuple[float, float]] = {}
    for item, scores in rows.order_by("batch__number").values_list("item_id", "scores"):
        found[item] = (scores.get("share", 0.0), scores.get("effective", -1.0))
    return found


def _people(project: Project) -> set[int]:
    """Who has judged here and may go on."""
    barred = Standing.objects.filter(project=project).exclude(state=Standing.State.ACTIVE)
    votes = Judgment.objects.filter(item__project=project, live=True, item__is_gold=False)
    here = votes.exclude(source__in=[Judgment.Source.IMPORTED, Judgment.Source.EXPERT])
    return set(here.exclude(annotator__in=barred.values("annotator")).values_list("annotator", flat=True))


def _reliability(project: Project, people: set[int]) -> float:
    """For how much of a vote theirs count on average, by what the project's aggregation has learned of them;
    1 where it learns nothing.
    """
    fit = AggregationFit.objects.filter(project=project, criterion=project.main_criterion).first()
    if fit is None or not people:
        return 1.0
    skill = fitting.skills(fit)
    mean = float(np.mean([skill.get(one, skill[0]) for one in people]))
    return float(np.clip(mean, 0.05, 1.0))


def _sample(candidates: CandidatePairs, rng: np.random.Generator) -> Positions:
    if len(candidates) <= MOST_NEW:
        return np.arange(len(candidates))
    return np.sort(rng.choice(len(candidates), MOST_NEW, replace=False))

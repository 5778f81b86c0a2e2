"""What the pool looked like when a batch was chosen: kept with the batch, shown on the page Coverage."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.kinds import kinds_of_prompts
from activelearning.acquisition.knowledge import Knowledge, Labels, learn, prompt_means
from activelearning.acquisition.pairs import PairTable, label_table, pair_table
from activelearning.acquisition.pool import (
    CandidatePairs,
    Ids,
    LabelledPairs,
    Positions,
    ResponsePool,
    find_positions,
    pair_keys,
)
from activelearning.acquisition.projection import Singles, fit_projection
from activelearning.acquisition.prompt_words import word_points
from activelearning.acquisition.selection import Selection
from activelearning.acquisition.survey import Prompts, Survey, survey
from activelearning.models import DeploymentPrompt
from annotation.models.content import Prompt
from annotation.models.project import Project

MOST_DEPLOYMENT = 20_000


@dataclass(frozen=True)
class Surveyed:
    """The selection with the kind of each pair's prompt, and the survey that counts the kinds."""

    selection: Selection
    survey: Survey | None


@dataclass(frozen=True, eq=False)
class Placed:
    """The pool in the space of its pairs: z (n, q), the prompt of each response (n,), what is known of the
    prompts with their kinds, open pairs and labels."""

    z: Singles
    prompt: Positions
    prompts: Prompts
    pairs: PairTable
    labels: Labels

    @property
    def kind(self) -> Positions:
        """(n,) of each response's prompt."""
        assert self.prompts.kind is not None  # noqa: S101  place has found them
        return self.prompts.kind[self.prompt]


def place(
    *,
    project: Project,
    pool: ResponsePool,
    candidates: CandidatePairs,
    labelled: LabelledPairs | None,
    seed: int,
) -> Placed | None:
    """Put the prompts into kinds: those that cap a choice and those that the page Coverage shows.

    None where nothing is known of the responses yet, or where there is no pair.
    """
    rng = np.random.default_rng([seed, 5])  # its own: the draws of the selection stay what they are
    pairs, labels = pair_table(pool, candidates, labelled), label_table(pool, labelled)
    both = [np.concatenate(sides) for sides in ((pairs.first, labels.first), (pairs.second, labels.second))]
    if pool.features is None or not len(both[0]):
        return None
    z = fit_projection(pool.features, both[0], both[1], rng).apply(pool.features)
    names, prompt = np.unique(pool.prompt_id, return_inverse=True)
    prompts = _prompts(project, names, rng)
    points = prompt_means(z, prompt) if prompts.points is None else prompts.points
    kind = kinds_of_prompts(points, prompts.deployment, rng)
    return Placed(z, prompt, dataclasses.replace(prompts, kind=kind), pairs, labels)


def surveyed(
    *,
    project: Project,
    pool: ResponsePool,
    candidates: CandidatePairs,
    labelled: LabelledPairs | None,
    selection: Selection,
    seed: int,
    placed: Placed | None = None,
) -> Surveyed:
    """Without a survey where nothing is known of the responses yet, or where there is no pair.

    placed: what `place` says of the rest, where it was asked before.
    """
    placed = placed or place(project=project, pool=pool, candidates=candidates, labelled=labelled, seed=seed)
    if placed is None:
        return Surveyed(selection, None)
    rng = np.random.default_rng([seed, 6])
    labels, pairs = placed.labels, placed.pairs
    posterior = learn(placed.z, placed.prompt, labels, rng, prior_precision=selection.prior_precision)
    known = Knowledge(placed.z, placed.prompt, labels, posterior)
    keys = pair_keys(pairs.first, pairs.second, len(pool.response_id))
    chosen = np.isin(keys, _chosen_keys(pool, selection))
    found = survey(known, pool.response_id, placed.prompts, pairs.first, pairs.second, chosen, rng)
    if found is None:
        return Surveyed(selection, None)
    kind = dict(zip(placed.prompts.id.tolist(), found[1].tolist(), strict=True))
    named = tuple(dataclasses.replace(pair, cluster=kind[pair.prompt_id]) for pair in selection.pairs)
    return Surveyed(dataclasses.replace(selection, pairs=named), found[0])


def _chosen_keys(pool: ResponsePool, selection: Selection) -> Positions:
    first = find_positions(pool.response_id, [pair.response_a for pair in selection.pairs])
    second = find_positions(pool.response_id, [pair.response_b for pair in selection.pairs])
    return pair_keys(first, second, len(pool.response_id))


def _prompts(project: Project, names: Ids, rng: np.random.Generator) -> Prompts:
    """With deployment prompts, which have no responses, all prompts are placed by their words."""
    texts = {
        str(pk): str(messages[-1]["content"])
        for pk, messages in Prompt.objects.filter(project=project).values_list("pk", "messages")
    }
    own = [texts[str(name)] for name in names]
    lengths = np.array([len(text) for text in own], dtype=np.float64)
    asked = DeploymentPrompt.objects.filter(project=project).order_by("pk").values_list("messages", flat=True)
    others = [str(messages[-1]["content"]) for messages in asked[:MOST_DEPLOYMENT]]
    if not others:
        return Prompts(names, lengths=lengths)
    points = word_points([*own, *others], rng)
    return Prompts(
        names,
        points=points[: len(own)],
        lengths=lengths,
        deployment=points[len(own) :],
        deployment_lengths=np.array([len(text) for text in others], dtype=np.float64),
    )

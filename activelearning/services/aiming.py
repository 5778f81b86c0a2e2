"""For which pairs the model is to be good: those that the policy will meet, where somebody said which."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.pool import CandidatePairs, Floats, Ids, ResponsePool
from activelearning.acquisition.shift import Shift, density_ratio
from activelearning.acquisition.wording import Said, counted, said
from annotation.models.content import Prompt
from annotation.models.project import Project
from rewardmodel.services import embedding

MOST_TARGETS = 50_000  # pairs; as many as the moment of the target is taken from
MOST_DEPLOYMENT = 20_000  # prompts that are embedded
FEWEST_MET = 30  # pairs of deployment prompts themselves from which on these are the target

Embed = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class Aim:
    """pairs: the target, a pair as often as it weighs; None: every pair alike. shift: how the pool differs
    from the deployment prompts, where that was looked at. note: what was done, for people."""

    pairs: CandidatePairs | None
    shift: Shift | None = None
    note: Said | None = None


def aim(
    *,
    project: Project,
    pool: ResponsePool,
    candidates: CandidatePairs,
    rng: np.random.Generator,
    embed: Embed | None = None,
) -> Aim:
    """The target pairs of a selection.

    Without deployment prompts: all alike. Where prompts of the pool are deployment prompts, as after an
    import of rollouts, and have pairs enough: those pairs. Else every open pair, as often as its prompt
    weighs against the deployment prompts. Raises `EmbeddingFailed`.
    """
    given = project.deployment_prompts.order_by("pk")
    ids = np.array(given.values_list("pk", flat=True), dtype=np.int64)
    if not len(ids) or not len(candidates) or pool.features is None:
        return Aim(None)
    met = project.prompts.filter(key__in=given.values("key")).values_list("pk", flat=True)
    own = np.isin(candidates.prompts, np.array([str(pk) for pk in met], dtype=np.str_))
    if int(own.sum()) >= FEWEST_MET:
        picked = np.flatnonzero(own)
        if len(picked) > MOST_TARGETS:
            picked = np.sort(rng.choice(picked, MOST_TARGETS, replace=False))
        note = counted(
            len(np.unique(candidates.prompts[picked])),
            "Aimed at {n} deployment prompt that has responses.",
            "Aimed at {n} deployment prompts that have responses.",
        )
        return Aim(_rows(candidates, picked), None, note)
    if len(ids) > MOST_DEPLOYMENT:
        ids = rng.choice(ids, MOST_DEPLOYMENT, replace=False)
    messages = given.filter(pk__in=ids.tolist()).values_list("messages", flat=True)
    prompts, of_pair = np.unique(candidates.prompts, return_inverse=True)
    texts = [*_texts(project, prompts), *map(_text, messages)]
    vectors = (embed or embedding.embed_texts)(texts)
    found = density_ratio(vectors[: len(prompts)], vectors[len(prompts) :], rng=rng)
    target = _rows(candidates, _repeated(found.weight[of_pair], rng))
    return Aim(target, found, _words(found))


def _repeated(weight: Floats, rng: np.random.Generator) -> np.ndarray:
    """Each row so often that its part is its weight's, but for less than one row (systematic sampling)."""
    size = min(MOST_TARGETS, 8 * len(weight))
    edges = np.cumsum(weight) * (size / weight.sum())
    rows = np.searchsorted(edges, np.arange(size) + rng.random(), side="right")
    return np.minimum(rows, len(weight) - 1)


def _rows(candidates: CandidatePairs, rows: np.ndarray) -> CandidatePairs:
    return CandidatePairs(
        candidates.response_id,
        candidates.prompt_id,
        candidates.first[rows],
        candidates.second[rows],
        np.ones(len(rows)),
    )


def _texts(project: Project, prompts: Ids) -> list[str]:
    found = dict(
        Prompt.objects.filter(project=project, pk__in=[int(pk) for pk in prompts]).values_list(
            "pk", "messages"
        )
    )
    return [_text(found[int(pk)]) for pk in prompts]


def _text(messages: list[dict[str, str]]) -> str:
    """As the reward model reads a prompt (`training.data.conversation`)."""
    return "\n".join(turn["content"] for turn in messages)


def _words(shift: Shift) -> Said:
    if shift.auc is None or shift.interval is None:
        return counted(
            shift.deployment,
            "{n} deployment prompt is too little to weigh the pool by.",
            "{n} deployment prompts are too few to weigh the pool by.",
        )
    low, high = shift.interval
    return said(
        "Aimed at {given} deployment prompts: they are told from the pool's with an area of {area:.2f} "
        "({low:.2f} to {high:.2f}; 0.50: not at all), and {effective} of {pool} prompts count in effect.",
        given=shift.deployment,
        area=shift.auc,
        low=low,
        high=high,
        effective=round(shift.effective),
        pool=shift.pool,
    )

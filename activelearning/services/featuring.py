"""Features of responses before the first run: what its heads would see, so that the recipe can start cold."""

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np

from activelearning.acquisition.selection import Selection
from activelearning.acquisition.wording import Said, said
from activelearning.services.holding import held
from annotation.models.content import Response
from annotation.models.project import Project
from rewardmodel.services import embedding, sending
from rewardmodel.services.following import stopping
from rewardmodel.services.scoring import ScoringFailed

logger = logging.getLogger(__name__)

TASK = "activelearning.embed"
BY_TEXTS = said("No model yet: chosen by the texts of the responses and by the pairs judged so far.")
NO_MODEL = said("No model yet.")
UNDER_WAY = said(
    "No model yet, and a worker is still embedding the responses: this batch is drawn at random, later ones "
    "will not be."
)
BREATH = 120.0  # seconds between two looks whether the worker is to stop
MOST_WORDS = 200  # of what went wrong


def features_of(
    project: Project, response_ids: Sequence[int], *, seconds: float | None
) -> tuple[np.ndarray | None, Said | None]:
    """Features (n, f) float32 of the responses; None beside a sentence for people where there are none.

    seconds: how long somebody waits for them; None: as long as it takes. Where that is too short, a training
    worker goes on. Never raises what is no fault of the caller's: choosing goes on by chance.
    """
    if not response_ids:
        return None, None
    try:
        with held(_key(project.pk)) as mine:
            if not mine:
                return None, UNDER_WAY
            return embedding.embed_responses(response_ids, seconds=seconds), None
    except embedding.EmbeddingTakesLong:
        sending.wake(TASK, project.pk)
        return None, UNDER_WAY
    except ScoringFailed as error:
        logger.warning("responses of %s: %s", project, error)
        return None, said("No model yet, and the responses could not be embedded: {why}", why=brief(error))


def brief(error: Exception) -> str:
    """The last line of what went wrong, which says it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][-MOST_WORDS:]


def without_a_model(selection: Selection) -> Selection:
    """The selection with the words that no model had a part in what its rules chose."""
    pairs = tuple(
        pair
        if pair.reason in ("audit", "random")
        else dataclasses.replace(pair, explanation=(NO_MODEL, *pair.explanation))
        for pair in selection.pairs
    )
    return dataclasses.replace(selection, pairs=pairs, notes=(BY_TEXTS, *selection.notes))


def embed_all(project_id: int) -> bool:
    """Bring every response of the project into the cache. False: nothing to do, or another does it."""
    ids = list(Response.objects.filter(prompt__project=project_id).values_list("pk", flat=True))
    with held(_key(project_id)) as mine:
        if not mine or not ids:
            return False
        while not stopping.is_set():
            try:
                embedding.embed_responses(ids, seconds=BREATH)
                return True
            except embedding.EmbeddingTakesLong:
                continue  # the cache has what is done: a worker that stops need not wait for the rest
            except ScoringFailed:  # who selects next is told
                logger.exception("responses of project %s", project_id)
                return False
    return False


def _key(project_id: int) -> str:
    return f"features/{project_id}"

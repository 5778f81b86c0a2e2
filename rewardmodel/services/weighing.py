"""Where the model in use and the people are at odds: its word on the pairs they have judged.

Asked again when another ensemble is promoted, and once labels have changed, an hour later. The queue of
reviews reads it (annotation.review_selectors).
"""

import logging
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils import timezone

from annotation.models.project import Project
from annotation.review_selectors import outcomes_of
from annotation.services import odds
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.models import Ensemble
from rewardmodel.services import scoring

logger = logging.getLogger(__name__)

MOST_PAIRS = 20_000
AGAIN_AFTER = timedelta(hours=1)


def weigh_what_is_due() -> int:
    """Every project whose model has something new to say; of how many it was asked."""
    due = [
        ensemble
        for ensemble in Ensemble.objects.filter(active=True).select_related("project", "run").order_by("pk")
        if _is_due(ensemble)
    ]
    for ensemble in due:
        try:
            weigh(ensemble=ensemble)
        except scoring.ScoringFailed as failure:
            logger.warning("%s was not asked about its labels: %s", ensemble, failure)
    return len(due)


def weigh(*, ensemble: Ensemble) -> int:
    """Ask the ensemble about the labelled pairs; on how many it parts with the people."""
    project = ensemble.project
    pairs = odds.labelled_pairs(project, most=MOST_PAIRS)
    if not pairs.keys:
        odds.forget(project=project)
        return 0
    ids = [pk for key in pairs.keys for pk in key[1:]]
    scored = scoring.score(ensemble=ensemble, response_ids=ids)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # as promoting does
        if not Ensemble.objects.filter(pk=ensemble.pk, active=True).exists():
            return 0  # another one has been promoted meanwhile, and is asked next
        return odds.store(
            project=project,
            pairs=pairs,
            model=_probabilities(scored, project),
            source=f"run {ensemble.run.number}",
        )


def _probabilities(scored: scoring.ScoredResponses, project: Project) -> npt.NDArray[np.float64]:
    """P of (a, tie, b), shape (pairs, 3); the responses came as a, b, a, b, …"""
    main = scored.of(project.main_criterion)  # whose labels they are held against
    means = main.rewards.mean(axis=1, dtype=np.float64).reshape(-1, 2)
    tau = main.tau if outcomes_of(project) == 3 else -np.inf
    a_b_tie = np.exp(log_probabilities(means[:, 0] - means[:, 1], scored.temperature, tau))
    return np.asarray(a_b_tie[:, [0, 2, 1]], dtype=np.float64)


def _is_due(ensemble: Ensemble) -> bool:
    changed = odds.labels_changed_at(ensemble.project)
    asked = odds.weighed_at(ensemble.project)  # none: another ensemble has been promoted since
    if changed is None or asked is None:
        return changed is not None
    return changed > asked < timezone.now() - AGAIN_AFTER

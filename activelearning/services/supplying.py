"""The queue does not run dry while people work: where little is left, a batch comes before the next turn.

A refill is no turn: nothing is trained, the ensemble in use chooses (chance, while there is none). It cannot
pile up: it comes only where fewer than half a batch of items are open, so another one only when people have
worked through the last; and while a model is being trained only once, for its picks are old news soon.
"""

import logging

from django.core.cache import cache

from activelearning.models import LoopPolicy, LoopTurn, SelectionBatch
from activelearning.services import looping, selecting
from activelearning.services.policies import policy_of
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services.items import IMPORTED

logger = logging.getLogger(__name__)

LOW_PART = 2  # below one such part of a batch the queue is low
NOTHING_FOR = 600  # seconds until it is asked again where there was nothing to choose, or scoring failed


def refill_low_queues() -> int:
    """Queue a batch in every project that needs one; how many that were. Two workers do what one does."""
    projects = Project.objects.filter(state=Project.State.RUNNING)
    return sum(_refill(project) for project in projects if needs_refill(project))


def needs_refill(project: Project) -> bool:
    """Whether the loop has begun here, may choose now, and the queue is low."""
    policy = policy_of(project)
    if not policy.enabled or not _begun(project) or not is_low(project, policy):
        return False
    turn = project.loop_turns.filter(state__in=looping.OPEN).first()
    if turn is None:
        return not looping.is_due(project)  # else its batch comes, and first the turn that trains for it
    return turn.state == LoopTurn.State.TRAINING and not _refills_since(turn)


def is_low(project: Project, policy: LoopPolicy) -> bool:
    """Whether fewer than half a batch of items can be handed out. What is the last resort does not count."""
    enough = max(1, policy.batch_size // LOW_PART)
    open_items = Item.objects.filter(
        project=project, slots_left__gt=0, is_gold=False, priority__gte=IMPORTED, retired_at=None
    )
    return len(open_items.values_list("pk")[:enough]) < enough


def _refill(project: Project) -> bool:
    known_empty = f"activelearning/nothing-to-refill/{project.pk}"
    if cache.get(known_empty):
        return False
    with selecting.alone(project) as mine:
        if not mine or not needs_refill(project):  # another worker, or a person, does it or has just done it
            return False
        batch: SelectionBatch | None = None
        try:
            choice = selecting.choose(project=project, n=policy_of(project).batch_size)
            batch = selecting.queue(project=project, choice=choice, refill=True)
        except Exception:  # the other projects' queues are filled all the same
            logger.exception("refill of %s", project)
        if batch is None:
            cache.set(known_empty, True, NOTHING_FOR)
        return batch is not None


def _begun(project: Project) -> bool:
    """Whether anybody wants choosing here: imported items alone are work that somebody has bounded."""
    asked = LoopPolicy.objects.filter(project=project).exists()
    return asked or project.selection_batches.exists() or project.loop_turns.exists()


def _refills_since(turn: LoopTurn) -> bool:
    batches = SelectionBatch.objects.filter(project=turn.project_id, created_at__gte=turn.created_at)
    return batches.filter(config__refill=True).exists()

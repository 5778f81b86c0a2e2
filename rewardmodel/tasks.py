"""Background work of the training queue: thin, idempotent, safe to run twice."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from rewardmodel.models import QUEUE
from rewardmodel.services import following, handing_over, reconciling, sending, weighing


@shared_task(name=sending.TRAIN)
def train(run_id: int) -> bool:
    """Carry out a queued run. A message that comes twice, or late, finds nothing to do."""
    return following.execute(run_id)


@shared_task(name="rewardmodel.reconcile")
def reconcile() -> int:
    """Every few seconds: recover what a lost worker or a lost message left behind."""
    return len(reconciling.reconcile()) + len(handing_over.reconcile())


@shared_task(name=sending.HAND_OVER)
def hand_over(hand_over_id: int) -> bool:
    """Carry out a queued hand-over. A message that comes twice, or late, finds nothing to do."""
    return handing_over.execute(hand_over_id)


@shared_task(name="rewardmodel.weigh")
def weigh() -> int:
    """Now and then: ask the models in use about labels that are new to them."""
    return weighing.weigh_what_is_due()


@worker_ready.connect(weak=False)
def _look_for_left_overs(sender: Any, **_: object) -> None:
    """A training worker that starts finds at once what the one before it left."""
    if QUEUE in sender.app.amqp.queues.consume_from:
        reconcile.apply_async(queue=QUEUE)


@worker_shutting_down.connect(weak=False)
def _put_down(**_: object) -> None:
    """The worker is told to stop: the run in its hands goes back to the queue and resumes later."""
    following.stopping.set()

"""Wake a training worker, only that: what is to be done is in the row, so a lost message loses nothing."""

import logging

import psycopg
from celery import current_app
from kombu.exceptions import OperationalError

from rewardmodel.models import QUEUE

logger = logging.getLogger(__name__)

TRAIN = "rewardmodel.train"
HAND_OVER = "rewardmodel.hand_over"


def wake_trainer(run_id: int) -> bool:
    """Send the run's id to the training queue. False: the broker is away, the reconciler tries again."""
    return wake(TRAIN, run_id)


def wake_for_hand_over(hand_over_id: int) -> bool:
    """The same for a hand-over."""
    return wake(HAND_OVER, hand_over_id)


def wake(task: str, row_id: int) -> bool:
    """The same for any task of the training queue that takes the id of a row."""
    try:
        current_app.send_task(task, args=[row_id], queue=QUEUE, retry=False)
    except (OperationalError, psycopg.Error, OSError) as error:
        logger.warning("%s of row %s could not be sent to a worker yet: %s", task, row_id, error)
        return False
    return True

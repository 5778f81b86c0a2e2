"""Wake a training worker, only that: what is to be done is in the row, so a lost message loses nothing."""

import logging

import psycopg
from celery import current_app
from kombu.exceptions import OperationalError

from rewardmodel.models import QUEUE

logger = logging.getLogger(__name__)

TRAIN = "rewardmodel.train"


def wake_trainer(run_id: int) -> bool:
    """Send the run's id to the training queue. False: the broker is away, the reconciler tries again."""
    try:
        current_app.send_task(TRAIN, args=[run_id], queue=QUEUE, retry=False)
    except (OperationalError, psycopg.Error, OSError) as error:
        logger.warning("run %s could not be sent to a worker yet: %s", run_id, error)
        return False
    return True

"""Wake the worker that delivers alerts, only that: what is to be sent is in rows, so nothing is lost."""

import logging

import psycopg
from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

DELIVER = "annotation.deliver_alerts"


def wake_deliverer() -> bool:
    """False: the broker is away, and the next turn of the minute finds the rows."""
    try:
        current_app.send_task(DELIVER, retry=False)
    except (OperationalError, psycopg.Error, OSError) as error:
        logger.warning("alerts could not be sent to a worker yet: %s", error)
        return False
    return True

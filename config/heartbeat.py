"""A worker's sign of life: a row every few seconds, from a thread of the parent process.

A thread, so that a long task does not silence it; a database connection of its own, as every thread has.
"""

import logging
import os
import socket
import threading
import time

logger = logging.getLogger(__name__)

EVERY_SECONDS = 5.0


def start(*, name: str, queue: str) -> threading.Thread:
    thread = threading.Thread(target=_beat_for_ever, args=(name, queue), name="heartbeat", daemon=True)
    thread.start()
    return thread


def _beat_for_ever(name: str, queue: str) -> None:
    from django.db import DatabaseError, connection
    from django.utils import timezone

    from annotation.services.heartbeat import beat

    started_at = timezone.now()
    silent = False
    while True:
        try:
            connection.close_if_unusable_or_obsolete()
            beat(name=name, queue=queue, pid=os.getpid(), host=socket.gethostname(), started_at=started_at)
            silent = False
        except DatabaseError as error:  # the server restarts, or the tables are not there yet: say so once
            if not silent:
                logger.warning("no heartbeat: %s", str(error).strip().splitlines()[0])
            silent = True
            connection.close()
        time.sleep(EVERY_SECONDS)

"""A worker's sign of life: a row every few seconds, from a thread of the parent process.

A thread, so that a long task does not silence it; a database connection of its own, as every thread has.
Another thread stands in, once a minute, for a light worker or scheduler that is missing.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
STAND_IN_SECONDS = 60.0


def start(*, name: str, queue: str) -> threading.Thread:
    from django.utils import timezone

    from annotation.services.heartbeat import beat
    from annotation.services.standing_in import stand_in

    started_at = timezone.now()

    def give_sign() -> None:
        beat(name=name, queue=queue, pid=os.getpid(), host=socket.gethostname(), started_at=started_at)

    _for_ever("stand-in", stand_in, STAND_IN_SECONDS)
    return _for_ever("heartbeat", give_sign, EVERY_SECONDS)


def _for_ever(what: str, do: Callable[[], object], seconds: float) -> threading.Thread:
    thread = threading.Thread(target=_repeat, args=(what, do, seconds), name=what, daemon=True)
    thread.start()
    return thread


def _repeat(what: str, do: Callable[[], object], seconds: float) -> None:
    from django.db import DatabaseError, connection

    silent = False
    while True:
        try:
            connection.close_if_unusable_or_obsolete()
            do()
            silent = False
        except DatabaseError as error:  # the server restarts, or the tables are not there yet: say so once
            if not silent:
                logger.warning("no %s: %s", what, str(error).strip().splitlines()[0])
            silent = True
            connection.close()
        time.sleep(seconds)

"""Work on one thing at a time, over all processes and without an open transaction: by session locks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

LOOK_AGAIN = 0.2  # seconds


@contextmanager
def held(key: str, *, wait: float = 0.0) -> Iterator[bool]:
    """Whether what the key names is ours to work on; false while another connection is at it.

    wait: seconds for which it is asked for again. The lock ends with its connection, so with its process.
    """
    mine = _take(key)
    end = time.monotonic() + wait
    while not mine and time.monotonic() < end:  # a blocking lock would run into the lock time-out
        time.sleep(LOOK_AGAIN)
        mine = _take(key)
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def _take(key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        (mine,) = cursor.fetchone()
    return bool(mine)

"""Many people at once: each call in a thread with a database connection of its own."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

One = TypeVar("One")
Result = TypeVar("Result")

THREADS = 16


def at_once(do: Callable[[One], Result], these: Iterable[One], *, threads: int = THREADS) -> list[Result]:
    """`do` of each, `threads` at a time, all starting together; results in order."""
    waiting = list(these)
    start = Barrier(min(threads, len(waiting)))

    def run(mine: list[tuple[int, One]]) -> list[tuple[int, Result]]:
        try:
            start.wait(timeout=30)
            return [(place, do(one)) for place, one in mine]
        finally:
            connections.close_all()

    shares = [list(enumerate(waiting))[first :: start.parties] for first in range(start.parties)]
    with ThreadPoolExecutor(start.parties) as pool:
        found = [pair for share in pool.map(run, shares) for pair in share]
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]

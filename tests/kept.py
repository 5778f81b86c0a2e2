"""Rows that all tests of a module share: made once, and what a test changes is taken back after it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from django.db import transaction

T = TypeVar("T")


@contextmanager
def kept(unblocked: Callable[[], AbstractContextManager[None]], make: Callable[[], T]) -> Iterator[T]:
    """For a fixture of a module, with pytest-django's ``django_db_blocker.unblock``.

    The rows live in a transaction around those of the tests, which each end at a savepoint. The objects are
    shared too: a test that changes one in memory loads its own.
    """
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may stand in it, as in tests
    with unblocked():
        around.__enter__()
        made = make()
    try:
        yield made
    finally:
        with unblocked():
            transaction.set_rollback(True)
            around.__exit__(None, None, None)

"""The loop's heartbeat."""

from celery import shared_task

from activelearning.services import looping


@shared_task(name="activelearning.turn_loops")
def turn_loops() -> int:
    """Begin what is due and take the next step of what is open. Twice is the same as once."""
    looping.begin_due_turns()
    return looping.advance_turns()

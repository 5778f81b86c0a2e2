"""What the loop does by itself, every few seconds."""

from celery import shared_task

from activelearning.services import featuring, looping, replaying, supplying


@shared_task(name="activelearning.turn_loops")
def turn_loops() -> int:
    """Begin what is due and take the next step of what is open. Twice is the same as once."""
    replaying.reconcile()
    looping.begin_due_turns()
    return looping.advance_turns()


@shared_task(name="activelearning.refill_queues")
def refill_queues() -> int:
    """Queue a batch where people would soon have nothing to do. Twice is the same as once."""
    return supplying.refill_low_queues()


@shared_task(name=replaying.TASK)
def replay(replay_id: int) -> bool:
    """Carry out a queued replay. A message that comes twice, or late, finds nothing to do."""
    return replaying.execute(replay_id)


@shared_task(name=featuring.TASK)
def embed(project_id: int) -> bool:
    """Bring a project's responses into the cache before its first run. Twice is the same as once."""
    return featuring.embed_all(project_id)

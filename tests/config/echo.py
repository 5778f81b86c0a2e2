"""Tasks for a real worker: each writes down when it ran."""

import os
import sys
import time
from pathlib import Path

from celery import shared_task


@shared_task(name="tests.echo")
def echo(path: str) -> None:
    Path(path).write_text(f"{time.time()} {os.getpid()} {'torch' in sys.modules}")


@shared_task(name="tests.slow_once")
def slow_once(path: str) -> None:
    """Takes long the first time, so that it can be killed in the middle."""
    attempts = Path(path)
    first = not attempts.exists()
    with attempts.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if first:
        time.sleep(300)

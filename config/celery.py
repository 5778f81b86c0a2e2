"""The Celery application. This process never imports torch: what it forks would hang."""

import os
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import beat_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LAUREL_PROCESS", "worker")

# Celery warns when root runs a worker, for a pickled message could do anything; only JSON is accepted here.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("laurel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect(weak=False)
def _worker_lives(sender: Any, **_: object) -> None:
    from config.heartbeat import start

    start(name=sender.hostname, queue=",".join(sorted(app.amqp.queues.consume_from)))


@beat_init.connect(weak=False)
def _scheduler_lives(**_: object) -> None:
    from config.heartbeat import start

    start(name=f"scheduler@{os.uname().nodename}", queue="scheduler")

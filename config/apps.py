"""Makes Laurel's Celery application the one that every process sends to: web, command, worker and test."""

from django.apps import AppConfig


class LaurelConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import celery  # noqa: F401  the first application made is the current one

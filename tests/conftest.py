"""What every test may use: the embedded PostgreSQL, started when the first test asks for the database."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import translation

from config import embedded, queue


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    embedded.ensure_running(settings.LAUREL_DATA_DIR, durable=False)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """The message queue belongs to the database as the tables do."""
    queue.install(embedded.conninfo(settings.DATABASES["default"]))


@pytest.fixture(autouse=True)
def in_english() -> None:
    """A request in another language leaves it switched on in its thread."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def reports_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: a page shows what is so now, without a worker."""
    monkeypatch.setattr("annotation.services.reporting.AT_ONCE", 600.0)


@pytest.fixture(autouse=True)
def nothing_kept_in_the_cache() -> None:
    """What a process keeps for half a minute would outlive a test."""
    cache.clear()

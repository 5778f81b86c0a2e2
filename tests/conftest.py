"""What every test may use: the embedded PostgreSQL, started when the first test asks for the database."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.utils import translation
from pytest_django import DjangoDbBlocker

from config import embedded, queue
from rewardmodel.services import embedding
from tests import migrated


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    embedded.ensure_running(settings.LAUREL_DATA_DIR, durable=False)
    database = settings.DATABASES["default"]
    if migrated.kept(database):
        database.setdefault("TEST", {})["TEMPLATE"] = migrated.name()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The message queue belongs to the database as the tables do."""
    database = settings.DATABASES["default"]
    queue.install(embedded.conninfo(database))
    if not migrated.kept(database):
        with django_db_blocker.unblock():
            connections.close_all()
        migrated.keep(database)


@pytest.fixture(autouse=True)
def in_english() -> None:
    """A request in another language leaves it switched on in its thread."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def reports_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: a page shows what is so now, without a worker."""
    monkeypatch.setattr("annotation.services.reporting.AT_ONCE", 600.0)


@pytest.fixture(autouse=True)
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A selection before the first run starts no child process that embeds: chance chooses, as it does where
    there is no encoder. Whoever tests more gives the features."""

    def embed_responses(*_: object, **__: object) -> None:
        raise embedding.EmbeddingFailed("Tests start no encoder.")

    monkeypatch.setattr(embedding, "embed_responses", embed_responses)


@pytest.fixture(autouse=True)
def nothing_kept_in_the_cache() -> None:
    """What a process keeps for half a minute would outlive a test."""
    cache.clear()

"""A migrated database kept in the test cluster: the next run copies it and saves fifteen seconds."""

import hashlib
from pathlib import Path
from typing import Any

import django
import psycopg
from django.apps import apps
from psycopg import sql

from config import embedded

PREFIX = "migrated_"


def name() -> str:
    """Another one for every change of a migration, of Django, or of what is installed beside the tables."""
    digest = hashlib.sha256(django.__version__.encode())
    places = [config.path for config in apps.get_app_configs()]
    for path in sorted(file for place in places for file in Path(place).glob("migrations/*.py")):
        digest.update(path.read_bytes())
    return PREFIX + digest.hexdigest()[:16]


def kept(database: dict[str, Any]) -> bool:
    with _server(database) as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name()]).fetchone()
    return found is not None


def keep(database: dict[str, Any]) -> None:
    """Keep a copy of the migrated `database`, which nobody may be connected to, and of no other."""
    with _server(database) as server:
        for (old,) in server.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]
        ):
            server.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(old)))
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(made.format(sql.Identifier(name()), sql.Identifier(database["NAME"])))


def _server(database: dict[str, Any]) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(embedded.conninfo({**database, "NAME": "postgres"}), autocommit=True)

#!/usr/bin/env python
"""Django's commands; ``./laurel WORD`` is the same with the environment prepared."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

NEEDS_NO_DATABASE = {
    "",
    "help",
    "version",
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "makemessages",
    "startapp",
}
LEAVES_TABLES_ALONE = {
    "dbshell",
    "makemigrations",
    "migrate",
    "optimizemigration",
    "showmigrations",
    "sqlmigrate",
    "squashmigrations",
}


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    word = arguments[1] if len(arguments) > 1 else ""
    offline = word in NEEDS_NO_DATABASE or word.startswith("-") or {"-h", "--help"} & set(arguments)
    from config.embedded import EmbeddedDatabaseError

    try:
        from config.running import adopt_address

        adopt_address()
        from config import embedded, preparation, queue, settings

        if settings.LAUREL_EMBEDDED and not offline:
            embedded.ensure_running(settings.LAUREL_DATA_DIR)
            if word not in LEAVES_TABLES_ALONE:
                preparation.ensure_tables()
        execute_from_command_line(arguments)
        if word == "migrate" and settings.LAUREL_BROKER_IS_DATABASE and not offline:
            queue.install(embedded.conninfo(settings.DATABASES["default"]))
    except (ImproperlyConfigured, EmbeddedDatabaseError) as error:
        sys.exit(f"laurel: {error}")


if __name__ == "__main__":
    main(sys.argv)

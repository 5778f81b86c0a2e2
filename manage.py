#!/usr/bin/env python
"""Django's commands; ``./laurel WORD`` is the same with the environment prepared."""

import os
import sys

NEEDS_NO_DATABASE = {
    "",
    "help",
    "--help",
    "-h",
    "version",
    "--version",
    "collectstatic",
    "findstatic",
    "check",
    "diffsettings",
    "makemessages",
    "compilemessages",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

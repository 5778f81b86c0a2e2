"""Everything between a running database and a server that may start: ``python -m config.preparation``.

Says what it does on standard error, a line a phase; the sign-in links go to standard output.
"""

import argparse
import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command, get_commands


@contextmanager
def phase(title: str) -> Iterator[None]:
    """One line a phase: what it is, and how long it took."""
    begun = time.monotonic()
    sys.stderr.write(f"  {title} …" + ("" if sys.stderr.isatty() else "\n"))
    sys.stderr.flush()
    yield
    back = "\r" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{back}  {title:<46} {time.monotonic() - begun:6.1f} s\n")


def prepare(*, sample: bool) -> None:
    from django.conf import settings

    from config import embedded

    if settings.LAUREL_EMBEDDED:
        embedded.ensure_running(settings.LAUREL_DATA_DIR)
    _make_tables()
    if not settings.WHITENOISE_USE_FINDERS:  # the server has only what is collected
        _collect_static(settings.STATIC_ROOT)
    marker = settings.LAUREL_DATA_DIR / "run" / "sample_loaded"
    if sample and not marker.exists() and "load_sample" in get_commands():
        with phase("sample project (once)"), redirect_stdout(sys.stderr):
            call_command("load_sample", verbosity=0)
            call_command("ensure_users", sample_project="sample", verbosity=0)
        marker.touch()


def ensure_tables() -> None:
    """Make the tables of an embedded database that lacks some, so that any command may be the first one.

    What stands is read from a stamp beside the database: nothing is imported or asked when it is current.
    """
    from config import settings

    stamp = settings.LAUREL_DATA_DIR / "run" / "tables"
    if stamp.exists() and stamp.read_text() == _wanted_tables(settings.BASE_DIR):
        return
    with (settings.LAUREL_DATA_DIR / "run" / "tables.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once: the second finds them made
        if not stamp.exists() or stamp.read_text() != _wanted_tables(settings.BASE_DIR):
            django.setup()
            _make_tables()


def _make_tables() -> None:
    from django.conf import settings

    from config import embedded, queue

    with phase("database tables"), redirect_stdout(sys.stderr):
        if settings.LAUREL_BROKER_IS_DATABASE:
            queue.install(embedded.conninfo(settings.DATABASES["default"]))
        call_command("migrate", verbosity=0, interactive=False)
        call_command("ensure_users", verbosity=0)
    if settings.LAUREL_EMBEDDED:
        (settings.LAUREL_DATA_DIR / "run" / "tables").write_text(_wanted_tables(settings.BASE_DIR))


def _wanted_tables(base: Path) -> str:
    """A digest of the names of all migrations: another one means that tables may be missing."""
    names = sorted(path.relative_to(base).as_posix() for path in base.glob("*/migrations/[0-9]*.py"))
    return hashlib.sha256("\n".join([django.__version__, *names]).encode()).hexdigest()


def _collect_static(target: Path) -> None:
    """Collect the static files again only when one of them changed."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256(django.__version__.encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = os.stat(storage.path(path))
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    stamp = target / ".collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    with phase("static files"), redirect_stdout(sys.stderr):
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(digest.hexdigest())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-sample", action="store_true")
    parser.add_argument("--no-links", action="store_true")
    parser.add_argument("--links-only", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.embedded import EmbeddedDatabaseError

    try:
        django.setup()
        if not options.links_only:
            prepare(sample=not options.no_sample)
        if not options.no_links and "signin_links" in get_commands():
            call_command("signin_links")
    except (ImproperlyConfigured, EmbeddedDatabaseError, CommandError) as error:
        sys.exit(f"\nlaurel: {error}")


if __name__ == "__main__":
    main()

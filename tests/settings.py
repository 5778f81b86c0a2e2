"""The settings of Laurel in a data folder of their own: a test run never touches anybody's data.

Each run takes the first free numbered folder, so two runs side by side do not meet. The folder is kept:
the next run finds its PostgreSQL cluster already made.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def _take_a_folder() -> Path:
    digest = hashlib.sha256(os.fsencode(REPOSITORY)).hexdigest()[:8]
    place = Path(tempfile.gettempdir()) / f"laurel-tests-{os.geteuid()}-{digest}"
    place.mkdir(mode=0o711, exist_ok=True)
    number = 0
    while True:
        descriptor = os.open(place / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends
        except BlockingIOError:
            os.close(descriptor)
            number += 1
        else:
            return place / str(number)


for name in [name for name in os.environ if name.startswith(("LAUREL_", "CELERY_", "DATABASE_URL"))]:
    if name not in ("LAUREL_CHROMIUM", "LAUREL_SHARED_DATA", "LAUREL_TORCH"):
        del os.environ[name]
_folder = _take_a_folder()
for name in ("runs", "snapshots", "exports", "uploads"):  # what the last run left; its cluster is kept
    shutil.rmtree(_folder / name, ignore_errors=True)
os.environ["LAUREL_ENV"] = "test"
os.environ["LAUREL_DATA_DIR"] = str(_folder)
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"  # for the processes that tests start

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_BROKER_URL = "memory://"  # what a test queues stays in its process
CELERY_BROKER_TRANSPORT_OPTIONS = {}

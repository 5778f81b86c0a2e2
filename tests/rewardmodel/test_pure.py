"""The machine-learning packages can be used from a notebook: they import with Django and its kin blocked."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import rewardmodel.evaluation
import rewardmodel.likelihood
import rewardmodel.training

ROOT = Path(__file__).resolve().parents[2]
BLOCKED = ("django", "rest_framework", "celery", "kombu", "psycopg")


@pytest.mark.slow
def test_pure_packages_import_with_django_blocked() -> None:
    names = [
        module.name
        for package in (rewardmodel.likelihood, rewardmodel.training, rewardmodel.evaluation)
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
        if not module.name.endswith("__main__")
    ]
    assert len(names) > 15
    code = (
        "import importlib, sys\n"
        f"for name in {BLOCKED!r}: sys.modules[name] = None\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)

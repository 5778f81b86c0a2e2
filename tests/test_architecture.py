"""The rules of the house, held by a machine: what imports what, how long a file is, what is documented."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ["accounts", "annotation", "rewardmodel", "activelearning"]
PURE = [
    "annotation/agreement",
    "annotation/aggregation",
    "annotation/interchange",
    "rewardmodel/likelihood",
    "rewardmodel/training",
    "rewardmodel/evaluation",
    "activelearning/acquisition",
]
OUR_FOLDERS = [*APPS, "config", "templates", "static/laurel", "benchmarks", "docs", "tests", "requirements"]
WRITTEN_BY_HAND = {".py", ".html", ".css", ".js", ".md", ".sh", ".toml", ".yml"}
LONGEST_FILE = 400
NOT_A_NAME = {"utils", "util", "helpers", "helper", "common", "misc"}
REFERENCE = ROOT / "docs" / "reference.md"
CHILD_SECONDS = 300


def our_files() -> Iterator[Path]:
    """What people wrote: no generated migrations, no vendored code, no data."""
    yield from (path for path in ROOT.iterdir() if path.suffix in WRITTEN_BY_HAND)
    yield ROOT / "laurel"
    for folder in OUR_FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in WRITTEN_BY_HAND and "migrations" not in path.parts and path.is_file():
                yield path


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in the repository, as a server process starts: nothing is imported yet."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False,
    )  # fmt: skip


# --- imports --------------------------------------------------------------------------------------

BLOCKED_IMPORTS = """
import importlib, importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"django", "rest_framework", "celery", "kombu", "psycopg"}:
            raise ImportError(f"a pure package wants {name}")

sys.meta_path.insert(0, Blocked())
for module in sys.argv[1:]:
    importlib.import_module(module)
print("imported", len(sys.argv) - 1)
"""


LOADS_TORCH = {
    "rewardmodel/likelihood",
    "rewardmodel/training",
    "rewardmodel/evaluation",
    "activelearning/acquisition",  # its device.py, which only a child process imports
}


@pytest.mark.parametrize(
    "package",
    [pytest.param(each, marks=[pytest.mark.slow] if each in LOADS_TORCH else []) for each in PURE],
)
def test_pure_package_works_without_django(package: str) -> None:
    # __main__ is what `python -m package` runs: importing it would start it
    names = [dotted(path) for path in modules(package) if path.name != "__main__.py"]
    assert len(names) > 1
    child = run_python(BLOCKED_IMPORTS, *names)
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() == f"imported {len(names)}"


@pytest.mark.parametrize("module", ["django", "celery.app", "psycopg"])
def test_the_block_blocks(module: str) -> None:
    assert f"a pure package wants {module.split('.')[0]}" in run_python(BLOCKED_IMPORTS, module).stderr


PARENT_PROCESS = """
import importlib, sys
import config.celery, config.wsgi
from django.urls import get_resolver

config.celery.app.loader.import_default_modules()
get_resolver().url_patterns
for module in sys.argv[1:]:
    importlib.import_module(module)
heavy = {"torch", "transformers", "datasets"} & set(sys.modules)
print("heavy:", sorted(heavy))
print("tasks:", sum(name.split(".")[0] in ("annotation", "rewardmodel", "activelearning")
                    for name in config.celery.app.tasks))
"""


@pytest.mark.slow
def test_the_processes_that_fork_never_load_torch() -> None:
    """All that a web server or a Celery parent could import: every module outside the pure packages."""
    pure = tuple(package.replace("/", ".") + "." for package in PURE)
    names = [dotted(path) for app in APPS for path in modules(app)]
    outside = [name for name in names if not f"{name}.".startswith(pure) and "__main__" not in name]
    child = run_python(PARENT_PROCESS, *outside)
    assert child.returncode == 0, child.stderr
    assert "heavy: []" in child.stdout
    tasks = re.search(r"tasks: (\d+)", child.stdout)
    assert tasks
    assert int(tasks[1]) > 0


@pytest.mark.slow
def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    child = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout
    assert "0 broken" in child.stdout


def test_accounts_and_apps_are_named_in_the_contracts() -> None:
    """A pure package that the contracts do not know would not be held to them."""
    contracts = (ROOT / "pyproject.toml").read_text()
    for package in PURE:
        assert contracts.count(f'"{package.replace("/", ".")}"') >= 2, package


# --- files ----------------------------------------------------------------------------------------


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in our_files() if path != _changelog()}
    assert len(lengths) > 100
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST_FILE} == {}


def _changelog() -> Path:
    return ROOT / "CHANGELOG.md"  # only ever grows


def test_init_files_are_empty() -> None:
    for folder in [*APPS, "config", "tests", "benchmarks"]:
        for path in (ROOT / folder).rglob("__init__.py"):
            if path == ROOT / "annotation/models/__init__.py":  # Django finds models through it
                body = ast.parse(path.read_text()).body
                assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in body)
            else:
                assert path.read_text().strip() == "", path


def test_every_module_has_a_name() -> None:
    for path in our_files():
        assert path.stem not in NOT_A_NAME, path
        assert not NOT_A_NAME & set(path.relative_to(ROOT).parent.parts), path


@pytest.mark.slow
def test_only_config_reads_the_environment() -> None:
    """A bare `os.environ.setdefault(…)` writes, for libraries that look there: that is no reading."""
    readers = {}
    for app in APPS:
        for path in modules(app):
            tree = ast.parse(path.read_text())
            lines = [node.lineno for node in ast.walk(tree) if _touches_environment(node)]
            written = [node.lineno for node in ast.walk(tree) if _sets_a_default(node)]
            if read := sorted(set(lines) - set(written)):
                readers[dotted(path)] = read
    assert readers == {}


def _touches_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and bool({"environ", "getenv"} & {name.name for name in node.names})
    return isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}


def _sets_a_default(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("os.environ.setdefault(")


# --- documentation --------------------------------------------------------------------------------

READS = {
    "text", "choice", "boolean", "integer", "listing", "folder", "database", "secret_key", "web_address",
    "hosts_and_networks", "mail",
}  # fmt: skip


def settings_read() -> set[str]:
    """The names handed to `config.environment`, and those the `laurel` script and the tests look at."""
    names = set()
    for path in modules("config"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in READS
            ):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.isupper():
                    names.add(first.value)
    names |= set(re.findall(r"\$\{(LAUREL_\w+)", (ROOT / "laurel").read_text()))
    names |= set(re.findall(r'"(LAUREL_[A-Z_]*[A-Z])"', (ROOT / "config" / "leftovers.py").read_text()))
    return names | {"LAUREL_SHARED_DATA"}


def test_every_setting_is_documented_and_exists() -> None:
    documented = set(re.findall(r"`(LAUREL_[A-Z_]+|DATABASE_URL|CELERY_[A-Z_]+)`", REFERENCE.read_text()))
    assert len(documented) > 15
    assert sorted(settings_read() - documented) == []
    assert sorted(documented - settings_read()) == []


def test_every_command_is_documented_and_exists() -> None:
    ours = {
        path.stem
        for app in APPS
        for path in (ROOT / app / "management" / "commands").glob("*.py")
        if path.stem != "__init__"
    }
    launcher = {"up", "down", "status", "test"}
    documented = set(re.findall(r"^\| `(\w+)` \|", REFERENCE.read_text(), re.MULTILINE))
    settings = {name for name in documented if name.isupper()}
    assert len(ours) > 10
    assert sorted((ours | launcher) - documented) == []
    assert sorted(documented - settings - ours - launcher) == []

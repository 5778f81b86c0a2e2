"""What `./laurel import` and `./laurel agreement` print, and how they end."""

import json
import os
import random
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from annotation.models.project import Project
from annotation.models.work import Item
from tests import factories
from tests.annotation.import_rows import bring, everything, lines, row
from tests.annotation.shared_votes import needs_debates, write_debates


def run(*arguments: str, fails: bool = False) -> dict[str, Any]:
    """The command's one JSON object; standard output holds nothing else."""
    out = StringIO()
    if fails:
        with pytest.raises(CommandError) as refused:
            call_command(*arguments, "--json", stdout=out, stderr=StringIO())
        assert refused.value.returncode == 1
    else:
        call_command(*arguments, "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def file_of(folder: Path, *rows: dict[str, Any] | str) -> str:
    path = folder / "items.jsonl"
    path.write_bytes(lines(*rows))
    return str(path)


# --- import ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_import_says_what_it_added(tmp_path: Path) -> None:
    factories.project(slug="debates")
    found = run("import", "debates", file_of(tmp_path, row(1, ("w1", "a")), row(2)))
    assert found.pop("seconds") >= 0
    assert found == {
        "project": "debates",
        "rows": 2,
        "added": {"prompts": 2, "responses": 4, "items": 2, "gold": 0, "annotators": 1, "votes": 1},
        "errors": [],
        "errors_total": 0,
    }


@pytest.mark.django_db
def test_a_bad_file_ends_with_1_and_names_its_lines(tmp_path: Path) -> None:
    factories.project(slug="debates")
    found = run("import", "debates", file_of(tmp_path, row(1), "nonsense", row(2)), fails=True)
    assert [error["line"] for error in found["errors"]] == [2]
    assert "1 of 3 rows are bad" in found["error"]
    assert "--skip-bad" in found["error"]
    assert not Item.objects.exists()


@pytest.mark.django_db
def test_skip_bad_imports_the_rest_and_still_names_the_bad(tmp_path: Path) -> None:
    factories.project(slug="debates")
    found = run("import", "debates", file_of(tmp_path, row(1), "nonsense", row(2)), "--skip-bad")
    assert [error["line"] for error in found["errors"]] == [2]
    assert (found["errors_total"], found["added"]["items"]) == (1, 2)


@pytest.mark.django_db
def test_skip_bad_does_not_help_a_file_that_ends_early(tmp_path: Path) -> None:
    factories.project(slug="debates")
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00\x00\x00")
    found = run("import", "debates", str(path), "--skip-bad", fails=True)
    assert "gzip" in found["error"]
    assert "--skip-bad" not in found["error"]


@pytest.mark.django_db
def test_create_makes_the_project_as_asked(tmp_path: Path) -> None:
    votes = [{"annotator": "w", "choice": "a", "criterion": "wit"}]
    path = file_of(tmp_path, row(1, votes=votes))
    run("import", "new", path, "--create", "--name", "New one", "--overlap", "5", "--criterion", "wit")
    project = Project.objects.get(slug="new")
    assert (project.name, project.overlap, project.criterion_names) == ("New one", 5, ["wit"])
    assert Item.objects.get().slots_left == 4


@pytest.mark.django_db
@pytest.mark.parametrize("content", ["nonsense\n", ""])
def test_create_with_a_bad_file_leaves_no_project(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    before = everything()
    run("import", "new", str(path), "--create", fails=True)
    assert not Project.objects.exists()
    assert everything() == before


@pytest.mark.django_db
def test_create_leaves_no_project_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("annotation.services.import_merge.merge", interrupt)
    with pytest.raises(KeyboardInterrupt):
        call_command("import", "new", file_of(tmp_path, row(1)), "--create")
    assert not Project.objects.exists()


@pytest.mark.django_db
def test_create_keeps_a_project_that_was_there(tmp_path: Path) -> None:
    factories.project(slug="debates")
    run("import", "debates", file_of(tmp_path, "nonsense"), "--create", fails=True)
    assert Project.objects.filter(slug="debates").exists()


@pytest.mark.django_db
def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = file_of(tmp_path, row(1))
    assert "Add --create" in run("import", "nowhere", path, fails=True)["error"]
    factories.project(slug="debates")
    assert "There are: debates" in run("agreement", "nowhere", fails=True)["error"]
    assert "cannot be read" in run("import", "debates", str(tmp_path / "none"), fails=True)["error"]
    assert "cannot be read" in run("import", "debates", str(tmp_path), fails=True)["error"]
    assert "not a project name" in run("import", "Not A Slug", path, "--create", fails=True)["error"]


# --- agreement -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_agreement_equals_the_coefficient_of_the_same_votes() -> None:
    rng = random.Random(5)
    project = factories.project(slug="debates", overlap=9)
    rows, votes = [], []
    for number in range(40):
        given = [
            (f"w{one}", rng.choice(["a", "a", "b", "tie", "both_bad"])) for one in range(rng.randrange(6))
        ]
        rows.append(row(number, *given))
        votes.append([{"a": 1, "tie": 2, "both_bad": 2, "b": 3}[choice] for _, choice in given])
    rows.append(row(99, ("w1", "a"), ("w2", "b"), gold={"choice": "a"}))
    bring(project, *rows)
    found = run("agreement", "debates", "--draws", "50")
    assert found["project"] == "debates"
    overall = found["criteria"]["overall"]
    assert overall["ratings"] == sum(len(of) for of in votes)
    assert overall["annotators"] == 5
    for level in ("nominal", "ordinal"):
        estimate = overall["krippendorff"][level]
        assert estimate["value"] == pytest.approx(_alpha(votes, level), abs=1e-9)
        assert estimate["low"] < estimate["value"] < estimate["high"]
    assert set(overall["fleiss"]) >= {"value", "reason"} or set(overall["fleiss"]) >= {"value", "low", "high"}


@pytest.mark.django_db
def test_agreement_of_nothing_is_undefined_and_says_why() -> None:
    factories.project(slug="empty")
    overall = run("agreement", "empty")["criteria"]["overall"]
    assert (overall["units"], overall["ratings"], overall["annotators"]) == (0, 0, 0)
    for estimate in (overall["krippendorff"]["nominal"], overall["fleiss"]):
        assert estimate["value"] is None
        assert estimate["reason"]


@pytest.mark.django_db
def test_agreement_reads_well_for_people() -> None:
    bring(
        factories.project(slug="debates"), row(1, ("w1", "a"), ("w2", "a")), row(2, ("w1", "b"), ("w2", "a"))
    )
    out = StringIO()
    call_command("agreement", "debates", stdout=out)
    assert "overall: 2 units, 4 ratings, 2 annotators" in out.getvalue()
    assert "Krippendorff α nominal" in out.getvalue()


def _alpha(votes: list[list[int]], level: str) -> float:
    """Krippendorff's α by an independent library."""
    import krippendorff

    width = max(len(of) for of in votes)
    table = [[float(of[k]) if k < len(of) else float("nan") for of in votes] for k in range(width)]
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


# --- as a process ----------------------------------------------------------------------------------


def manage(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A real process on the test database."""
    of = connection.settings_dict
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{of['USER']}@/{of['NAME']}?host={of['HOST']}",
        "LAUREL_DATA_DIR": str(settings.LAUREL_DATA_DIR),
    }
    manage_py = Path(settings.BASE_DIR) / "manage.py"
    return subprocess.run(
        [sys.executable, manage_py, *arguments],
        env=environment,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_process_prints_one_object_and_ends_with_0_1_or_2(tmp_path: Path) -> None:
    good, bad = file_of(tmp_path, row(1, ("w1", "a"))), tmp_path / "bad.jsonl"
    bad.write_text("nonsense\n")
    done = manage("import", "debates", good, "--create", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["added"]["votes"] == 1
    assert done.stdout.count(b"\n") == 1
    refused = manage("import", "debates", str(bad), "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["errors_total"] == 1
    assert b"Traceback" not in refused.stderr
    assert manage("import", "--json").returncode == 2
    assert manage("agreement", "debates", "--draws", "many", "--json").returncode == 2


# --- real votes ------------------------------------------------------------------------------------


@needs_debates
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_debates_arrive_and_agree_as_published(tmp_path: Path) -> None:
    path = write_debates(tmp_path / "debates.jsonl")
    done = manage("import", "debates", str(path), "--create", "--json")
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert (found["added"]["items"], found["added"]["votes"]) == (11_747, 58_602)
    agreement = json.loads(manage("agreement", "debates", "--json").stdout)["criteria"]["overall"]
    assert agreement["annotators"] == 3_685
    assert agreement["krippendorff"]["nominal"]["value"] == pytest.approx(0.2533, abs=0.0002)
    assert agreement["krippendorff"]["ordinal"]["value"] == pytest.approx(0.3505, abs=0.0002)
    again = json.loads(manage("import", "debates", str(path), "--json").stdout)
    assert not any(again["added"].values())


MEASURE = """
import sys
sys.argv = ["manage.py", *sys.argv[1:]]
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
status = open('/proc/self/status').read()  # ru_maxrss would begin with the peak of the process that forked
print(status.split('VmHWM:')[1].split()[0], file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [200, 4_000, 500_000])
def test_sixty_megabytes_are_imported_in_less_than_500(tmp_path: Path, width: int) -> None:
    """Rows that are short, long and very long: what is held back must be bounded by each."""
    path = tmp_path / "big.jsonl"
    rng = random.Random(1)
    with path.open("wb") as out:
        number = 0
        while out.tell() < 60 << 20:
            number += 1
            text = f"{number} " + "".join(rng.choices("abcdef ghij", k=11)) * (width // 11)
            out.write(
                lines({"prompt": f"Question {number}?", "responses": [{"text": text}, {"text": text[::-1]}]})
            )
    of = connection.settings_dict
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{of['USER']}@/{of['NAME']}?host={of['HOST']}",
        "LAUREL_DATA_DIR": str(settings.LAUREL_DATA_DIR),
    }
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "import", "big", str(path), "--create", "--json"],
        env=environment, capture_output=True, check=False, cwd=settings.BASE_DIR,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["added"]["items"] == number
    kilobytes = int(done.stderr.split()[-1])
    assert kilobytes < 500_000

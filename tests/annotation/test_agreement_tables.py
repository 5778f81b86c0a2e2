"""Agreement as a download and from the command: the same figures as from the services, row for row."""

import csv
import io
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import Membership, User
from annotation.models.project import Project
from annotation.services import agreement_slices
from annotation.services.agreement_parts import AgreementInParts, agreement_in_parts
from tests.annotation.rated_world import CRITERIA, rated_world
from tests.cast import browser, person

KINDS = ("pairwise", "ranking", "rating")
pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture(autouse=True)
def every_slice_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_slices, "FEWEST_UNITS", 1)


def table(project: Project, name: str) -> list[dict[str, str]]:
    """As somebody downloads it who has no vote in it."""
    user = User.objects.filter(username="root").first() or person("root", is_superuser=True)
    answer = browser(user).get(reverse("annotation:monitor_csv", args=[project.slug, name]))
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def figures(row: dict[str, str], ends: tuple[str, ...] = ("low", "high")) -> list[float]:
    return [float(row[name]) for name in ("value", *ends) if row[name]]


def parts(project: Project) -> list[AgreementInParts]:
    return list(agreement_in_parts(project=project))


def plain(estimate: dict[str, Any]) -> list[float]:
    return [estimate[name] for name in ("value", "low", "high") if estimate.get(name) is not None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_agreement_has_an_interval_over_items_and_one_over_annotators(kind: str) -> None:
    project = rated_world(kind, seed=31)
    rows = table(project, "agreement")
    for of in parts(project):
        told = of.overall.as_json()
        scales = {
            "pair": told,
            "rated response": told.get("rated_responses"),
            "ranked response": told.get("rankings"),
        }
        for unit, scale in scales.items():
            mine = {
                row["coefficient"]: row
                for row in rows
                if row["criterion"] == of.overall.criterion and row["unit"] == unit
            }
            assert bool(mine) == bool(scale)
            for level, estimate in (scale or {}).get("krippendorff", {}).items():
                row = mine[f"krippendorff {level}"]
                assert figures(row) == pytest.approx(plain(estimate))
                people = estimate["over_annotators"]
                assert [float(row["low_annotators"]), float(row["high_annotators"])] == pytest.approx(
                    [people["low"], people["high"]]
                )
        ranked = [row["coefficient"] for row in rows if row["unit"] == "ranking"]
        assert ranked == (["kendall_w", "spearman"] * len(CRITERIA) if kind == "ranking" else [])


def test_slices_are_rows() -> None:
    project = rated_world("pairwise", seed=32)
    names = ("agreement_over_time", "agreement_by_category", "agreement_by_group", "pairs_of_annotators")
    over_time, by_category, by_group, pairs = ([*table(project, name)] for name in names)
    told = [one.as_json() for one in parts(project)]
    periods = [of for one in told for of in one["over_time"]["periods"]]
    assert [row["first_day"] for row in over_time[::2]] == [of["first"] for of in periods]
    categories = [of for one in told for of in one["by_category"]["categories"]]
    assert [row["category"] for row in by_category[1::2]] == [of["category"] for of in categories]
    groups = [of for one in told for of in one["by_group"]["groups"]]
    within = [row for row in by_group if row["compared"] == "within"]
    assert [row["group"] for row in within[::2]] == [of["group"] for of in groups]
    for rows, slices in ((over_time, periods), (by_category, categories), (within, groups)):
        for number, level in enumerate(("nominal", "ordinal")):
            for row, of in zip(rows[number::2], slices, strict=True):
                assert row["coefficient"] == f"krippendorff {level}"
                assert figures(row) == pytest.approx(plain(of["krippendorff"][level]))
                assert (row["all_units"], row["ratings"]) == (str(of["units"]), str(of["ratings"]))
    between = [
        row for row in by_group if row["compared"] == "between" and row["coefficient"] == "kappa ordinal"
    ]
    of_two = [of for one in told for of in one["by_group"]["between"]]
    assert [[row["group"], row["other_group"]] for row in between] == [of["groups"] for of in of_two]
    for row, of in zip(between, of_two, strict=True):
        assert figures(row) == pytest.approx(plain(of["kappa"]["ordinal"]))
    two = [pair for one in told for pair in one["pairs_of_annotators"]["pairs"]]
    assert [int(row["units"]) for row in pairs] == [pair["units"] for pair in two]
    assert [row["reason"] for row in pairs] == [pair["cohen"].get("reason", "") for pair in two]


@pytest.mark.slow
def test_many_small_categories_are_one_row_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_slices, "MOST_CATEGORIES", 1)
    rows = table(rated_world("pairwise", seed=33, items=30), "agreement_by_category")
    assert [row["categories"] for row in rows] == ["1", "1", "2", "2"] * len(CRITERIA)


def test_a_group_called_like_a_formula_does_no_harm() -> None:
    project = rated_world("pairwise", seed=34)
    Membership.objects.filter(group="crowd").update(group='=HYPERLINK("x")')
    assert {row["group"] for row in table(project, "agreement_by_group")} == {
        "",
        "experts",
        '\'=HYPERLINK("x")',
    }


# --- the command -----------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("agreement", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_adds_the_parts_it_is_asked_for(kind: str) -> None:
    project = rated_world(kind, seed=35)
    keys = {
        "time": "over_time",
        "category": "by_category",
        "group": "by_group",
        "annotators": "pairs_of_annotators",
    }
    expected = {one.overall.criterion: one.as_json() for one in parts(project)}
    everything = [word for part in keys for word in ("--by", part)]
    assert json.loads(run(project.slug, "--json", *everything))["criteria"] == json.loads(
        json.dumps(expected)
    )
    some = json.loads(run(project.slug, "--json", "--by", "group"))["criteria"]["tone"]
    assert "by_group" in some
    assert not {"over_time", "by_category", "pairs_of_annotators"} & set(some)
    basics = json.loads(run(project.slug, "--json"))["criteria"]["tone"]
    assert basics == {name: value for name, value in some.items() if name != "by_group"}


def test_the_command_reads_well_in_parts() -> None:
    project = rated_world("ranking", seed=36)
    project.criteria = project.criteria[:1]
    project.save()
    text = run(project.slug, "--by", "category", "--by", "group", "--by", "annotators", "--by", "time")
    for words in (
        "Kendall W",
        "by category:",
        "poems",
        "without category",
        "crowd × experts",
        "over annotators",
    ):
        assert words in text
    first, last, _ = parts(project)[0].over_time.periods[0]
    assert f"{first} – {last}" in text
    Membership.objects.update(group="")
    assert "nobody has a group" in run(project.slug, "--by", "group")
    with pytest.raises(CommandError, match="invalid choice"):
        run(project.slug, "--by", "moon")

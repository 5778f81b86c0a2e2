"""Simulated annotators: as many judgments as asked for, by marked people, the same for the same seed."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce

from accounts.models import Membership, User
from annotation.aggregation.simulated import Noise
from annotation.models.project import Project
from annotation.models.work import Answer, Item, Judgment
from annotation.services import simulating, slots
from tests import factories
from tests.annotation.import_rows import bring, row

pytestmark = pytest.mark.django_db


def project_with(items: int, overlap: int = 5) -> Project:
    project = factories.project(overlap=overlap)
    bring(project, *(row(n) for n in range(items)))
    return project


def answers(project: Project) -> list[tuple[Any, ...]]:
    return list(
        Answer.objects.filter(judgment__item__project=project)
        .order_by("pk")
        .values_list(
            "judgment__annotator__username", "judgment__item", "judgment__display_order", "choice",
            "judgment__seconds", "judgment__comment",
        )
    )  # fmt: skip


@pytest.mark.slow
def test_exactly_as_many_judgments_as_asked_for_by_marked_people() -> None:
    project = project_with(20)
    found = simulating.simulate(project=project, annotators=6, judgments=70, seed=3)
    assert (found.annotators, found.judgments, found.exhausted) == (6, 70, False)
    assert sum(found.by_kind.values()) == 6
    judgments = Judgment.objects.filter(item__project=project)
    assert judgments.count() == 70
    assert set(judgments.values_list("source", flat=True)) == {"simulated"}
    people = User.objects.filter(judgments__in=judgments).distinct()
    assert {(user.origin, user.is_active, user.has_usable_password()) for user in people} == {
        ("simulated", False, False)
    }
    assert all(user.display_name.startswith("Simulated ") for user in people)
    assert Membership.objects.filter(project=project, role="annotator").count() == 6
    assert slots.wrong_slots(project) == []


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answers() -> None:
    project = project_with(15)
    runs = []
    for seed in (3, 3, 4):
        with transaction.atomic():
            simulating.simulate(project=project, annotators=5, judgments=40, seed=seed)
            runs.append([(each[0].split("/")[1], *each[1:]) for each in answers(project)])
            transaction.set_rollback(True)
    assert len(runs[0]) == 40
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.slow
def test_running_again_meets_the_same_people_and_goes_on() -> None:
    project = project_with(20)
    for _ in range(2):
        simulating.simulate(project=project, annotators=4, judgments=20, seed=3)
    assert Judgment.objects.filter(item__project=project).count() == 40
    assert User.objects.filter(origin="simulated").count() == 4


def test_it_ends_when_nothing_is_left() -> None:
    project = project_with(3, overlap=2)
    found = simulating.simulate(project=project, annotators=5, judgments=50, seed=1)
    assert (found.judgments, found.exhausted) == (6, True)


def test_it_asks_for_more_work_when_the_queue_is_dry() -> None:
    project = project_with(2, overlap=1)
    more = iter([2, 1, 0])

    def refill() -> int:
        count = next(more)
        for _ in range(count):
            factories.pair_item(project)
        return count

    found = simulating.simulate(project=project, annotators=2, judgments=50, seed=1, refill=refill)
    assert (found.judgments, found.exhausted) == (5, True)


@pytest.mark.slow
def test_they_prefer_the_better_answer_and_are_dated_over_the_last_days() -> None:
    project = factories.project(overlap=10)
    good_and_bad = [
        {"text": "Good.", "metadata": {"quality": 4}}, {"text": "Bad.", "metadata": {"quality": -4}}
    ]  # fmt: skip
    bring(project, *(row(n, responses=good_and_bad) for n in range(30)))
    simulating.simulate(project=project, annotators=10, judgments=150, seed=2)
    given = [each[3] for each in answers(project)]
    assert given.count("a") > 2 * given.count("b")
    dates = list(Judgment.objects.order_by("pk").values_list("judged_at", flat=True))
    assert dates == sorted(dates)
    assert 13 <= (dates[-1] - dates[0]).days <= 14


def test_an_imported_name_is_never_a_simulated_one() -> None:
    project = project_with(5)
    simulating.simulate(project=project, annotators=1, judgments=5, seed=1)
    (simulated,) = User.objects.filter(origin="simulated")
    names = [simulated.username, simulated.username.split("/")[1], "simulated-1-1"]
    assert bring(project, row(0, *((name, "a") for name in names))).added["annotators"] == 3
    assert Judgment.objects.filter(annotator=simulated, source="imported").count() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"annotators": 0}, "ask for 1 to"),
        ({"annotators": 100_000}, "ask for 1 to"),
        ({"judgments": -1}, "zero or more"),
        ({"state": "paused"}, "is paused"),
    ],
)
def test_what_cannot_be_simulated_is_said(change: dict[str, Any], words: str) -> None:
    fields = {name: change[name] for name in ("kind", "state") if name in change}
    asked = {"annotators": 2, "judgments": 2} | {k: v for k, v in change.items() if k not in fields}
    with pytest.raises(simulating.InvalidSimulation, match=words):
        simulating.simulate(project=factories.project(**fields), seed=1, **asked)
    assert not User.objects.filter(origin="simulated").exists()


@pytest.mark.slow
def test_the_command_works_through_the_queue_and_then_selects_more() -> None:
    project = factories.project(slug="harbour", overlap=1)
    bring(project, row(1, responses=[{"text": f"Answer {n}."} for n in range(10)]))
    assert not Item.objects.exists()
    out = StringIO()
    call_command(
        "simulate",
        "harbour",
        "--annotators",
        "3",
        "--judgments",
        "60",
        "--json",
        stdout=out,
        stderr=StringIO(),
    )
    found = json.loads(out.getvalue())
    wanted = Item.objects.aggregate(pairs=Count("id"), votes=Sum(Coalesce("overlap", 1)))
    assert wanted["pairs"] == 45
    assert wanted["votes"] > 45  # some are asked of a second annotator to measure agreement
    assert (found["project"], found["judgments"], found["exhausted"]) == ("harbour", wanted["votes"], True)


def test_the_command_refuses_in_words() -> None:
    factories.project(slug="harbour", state="paused")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("simulate", "harbour", "--json", stdout=out)
    assert "is paused" in json.loads(out.getvalue())["error"]


def with_ids(pairs: int) -> Project:
    """Pairs whose second response is longer, and by the data's own quality the better one."""
    project = factories.project(overlap=10)
    texts = ("Short.", "A much longer answer, which says a good deal more.")
    given = [
        [
            {"id": f"{n}/{side}", "text": text, "metadata": {"quality": side}}
            for side, text in enumerate(texts)
        ]
        for n in range(pairs)
    ]
    bring(project, *(row(n, responses=both) for n, both in enumerate(given)))
    return project


@pytest.mark.slow
def test_they_judge_by_the_truth_they_are_given_with_the_noise_that_is_stated() -> None:
    project = with_ids(10)
    truth = {f"{n}/{side}": 50.0 * (1 - side) for n in range(10) for side in (0, 1)}
    run: dict[str, Any] = {"project": project, "annotators": 3, "seed": 1, "truth": truth}
    found = simulating.simulate(judgments=20, noise=Noise(1.0), **run)
    assert found.by_kind == {"stated": 3}
    assert [each[3] for each in answers(project)] == ["a"] * 20  # against the data's own quality
    simulating.simulate(judgments=60, noise=Noise(1.0, slips=1.0), **run | {"annotators": 8, "seed": 2})
    blind = [each[3] for each in answers(project)][20:]
    assert set(blind) == {"a", "b"}  # never a tie
    assert 15 <= blind.count("a") <= 45


def test_a_truth_that_lacks_a_response_is_refused_before_anybody_answers() -> None:
    project = with_ids(2)
    with pytest.raises(simulating.InvalidSimulation, match=r"lacks 1 of 4 responses .*“1/1”"):
        simulating.simulate(
            project=project, annotators=2, judgments=4, seed=1, truth={"0/0": 1, "0/1": 2, "1/0": 3}
        )
    with pytest.raises(simulating.InvalidSimulation, match=r"slips are 1\.5"):
        simulating.simulate(project=project, annotators=2, judgments=4, seed=1, noise=Noise(1, slips=1.5))
    assert not Judgment.objects.exists()


def test_the_command_reads_the_truth_from_a_file(tmp_path: Path) -> None:
    project = with_ids(3)
    file = tmp_path / "truth.csv"
    rows = [f"{n}/{side},{50 - 50 * side}" for n in range(3) for side in (0, 1)]
    file.write_text("\n".join(["id,quality", *rows]))
    words = ["simulate", project.slug, "--annotators", "2", "--judgments", "5", "--json"]
    out = StringIO()
    call_command(*words, "--truth", str(file), "--slips", "0", stdout=out)
    told = json.loads(out.getvalue())
    assert told["noise"] == {"sensitivity": 1.0, "slips": 0.0}
    assert [each[3] for each in answers(project)] == ["a"] * 5
    file.write_text("id,quality\n0/0,high\n")
    with pytest.raises(CommandError, match="line 2: “high” is no number"):
        call_command(*words, "--truth", str(file))

"""Reports: made at once or by a worker, never older than they need be, and the policy only by a worker."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Role, User
from accounts.services import membership
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.models.quality import ChangedItem, QualityReport
from annotation.models.standing import Standing
from annotation.plain import from_plain, to_plain
from annotation.services import gold, projects, reporting, standing
from annotation.services.reporting import Report
from tests import factories
from tests.cast import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The projects a worker was asked about."""
    found: list[int] = []
    monkeypatch.setattr(reporting, "wake", lambda project: found.append(project.pk))
    return found


def busy(**fields: Any) -> tuple[Project, User]:
    """A project with somebody who fails gold, and somebody who does not."""
    project = factories.project(**fields)
    good, bad = factories.user("good"), factories.user("bad")
    for _ in range(8):
        gold = factories.gold_item(project, choice="a")
        factories.judgment(gold, good, "a")
        factories.judgment(gold, bad, "b")
        item = factories.pair_item(project)
        factories.judgment(item, good, "a")
        factories.judgment(item, bad, "b")
    return project, bad


def age(report: QualityReport | None, **times: float) -> None:
    """As if the report had been made so long ago."""
    assert report is not None
    moment = timezone.now() - timedelta(**times)
    QualityReport.objects.filter(pk=report.pk).update(computed_at=moment)


@pytest.mark.slow
def test_a_quick_report_is_made_while_the_page_waits(asked: list[int]) -> None:
    project, _ = busy()
    first = reporting.latest(project)
    assert first is not None
    assert reporting.read(first).totals.judgments == 16
    assert reporting.latest(project) == first
    assert reporting.latest(project).version == 1  # type: ignore[union-attr]
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    second = reporting.latest(project)
    assert second is not None
    assert (second.version, reporting.read(second).totals.judgments) == (2, 17)
    assert asked == []


@pytest.mark.slow
def test_a_slow_report_is_left_to_a_worker_and_the_last_one_shown(asked: list[int]) -> None:
    project, _ = busy()
    reporting.make(project=project)
    QualityReport.objects.update(seconds=reporting.AT_ONCE + 0.1)
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    shown = reporting.latest(project)
    assert shown is not None
    assert reporting.read(shown).totals.judgments == 16
    assert asked == [project.pk]


@pytest.mark.slow
def test_a_first_report_on_much_is_left_to_a_worker(asked: list[int], monkeypatch: Any) -> None:
    monkeypatch.setattr(reporting, "FEW", 31)
    project, _ = busy()
    assert reporting.latest(project) is None
    assert asked == [project.pk]
    monkeypatch.setattr(reporting, "FEW", 32)
    assert reporting.latest(project) is not None


@pytest.mark.slow
def test_a_page_follows_no_policy_and_a_worker_does(asked: list[int]) -> None:
    project, bad = busy()
    reporting.latest(project)
    assert not Standing.objects.exists()
    age(QualityReport.objects.get(), seconds=60)
    QualityReport.objects.update(stale=True)
    assert reporting.turn(project=project)
    assert Standing.objects.get(annotator=bad).state == "paused"
    report = reporting.read(QualityReport.objects.get())
    assert report.agreement[0].overall.report.ratings == 8  # their votes are no longer among them
    assert not QualityReport.objects.get().stale
    assert Alert.objects.get(kind="paused").annotator == bad


@pytest.mark.slow
def test_a_worker_does_nothing_where_nothing_has_changed_and_rests_in_between() -> None:
    project, _ = busy()
    assert reporting.turn(project=project)
    assert not reporting.turn(project=project)
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    assert not reporting.turn(project=project)  # too soon
    age(QualityReport.objects.get(), minutes=2)
    assert reporting.turn(project=project)
    assert not ChangedItem.objects.exists()
    age(QualityReport.objects.get(), minutes=2)
    assert not reporting.turn(project=project)
    age(QualityReport.objects.get(), hours=2)
    assert reporting.turn(project=project)


def test_an_untouched_project_has_no_report() -> None:
    project = factories.project()
    assert not reporting.turn(project=project)
    assert not QualityReport.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["pause", "settings", "gold"])
def test_what_bears_on_it_makes_it_stale(change: str) -> None:
    project, bad = busy()
    reporting.make(project=project)
    boss = factories.user("boss")
    if change == "pause":
        standing.pause(project=project, annotator=bad, actor=boss)
    elif change == "settings":
        projects.edit(project=project, changes={"gold_rate": 0.3})
    else:
        item = project.items.filter(is_gold=True).first()
        assert item is not None
        gold.retire(item=item, actor=boss)
    assert QualityReport.objects.get().stale
    reporting.make(project=project)
    assert not QualityReport.objects.get().stale


@pytest.mark.slow
def test_another_group_makes_it_outdated(asked: list[int]) -> None:
    project, bad = busy()
    boss = factories.user("boss")
    for user, role in ((bad, Role.ANNOTATOR), (boss, Role.MANAGER)):
        membership.add(project=project, user=user, role=role, actor=None)
    first = reporting.latest(project)
    membership.change_group(project=project, user=bad, group="west", actor=boss)
    second = reporting.latest(project)
    assert first is not None
    assert second is not None
    assert second.version == first.version + 1
    (parts,) = reporting.read(second).agreement
    assert [name for name, _ in parts.by_group.groups] == ["", "west"]
    assert reporting.latest(project) == second


@pytest.mark.slow
def test_who_fails_gold_is_told_of_where_nobody_is_paused_by_rule() -> None:
    project, bad = busy(auto_pause=False)
    reporting.make(project=project, follow_policy=True)
    alert = Alert.objects.get()
    assert (alert.kind, alert.annotator, alert.figures) == ("gold", bad, {"right": 0, "answered": 8})
    standing.exclude(project=project, annotator=bad, actor=factories.user("boss"))
    alert.refresh_from_db()
    assert alert.ended_at is not None


@pytest.mark.slow
def test_who_was_restored_knowing_their_gold_is_not_told_of_again() -> None:
    project, bad = busy()
    reporting.make(project=project, follow_policy=True)
    assert Alert.objects.get().kind == "paused"
    standing.restore(project=project, annotator=bad, actor=factories.user("boss"))
    reporting.make(project=project, follow_policy=True)
    assert Standing.objects.get(annotator=bad).state == "active"
    assert not Alert.objects.filter(ended_at=None).exists()


def test_a_report_comes_back_as_it_was() -> None:
    for kind in ("pairwise", "ranking", "rating"):
        project = factories.project(kind=kind)
        stored = reporting.make(project=project)
        assert stored is not None
        report = reporting.read(stored)
        assert from_plain(Report, json.loads(json.dumps(to_plain(report)))) == report


@pytest.mark.slow
@pytest.mark.parametrize("body", [{}, {"totals": 1}, {"colour": "red"}])
def test_a_report_that_an_earlier_release_made_is_made_anew(body: dict[str, Any], asked: list[int]) -> None:
    project, _ = busy()
    reporting.make(project=project)
    QualityReport.objects.update(body=body, version=7)
    shown = reporting.latest(project)
    assert shown is not None
    assert reporting.read(shown).totals.judgments == 16
    QualityReport.objects.update(body=body, version=17)
    age(QualityReport.objects.get(), minutes=2)
    assert reporting.turn(project=project)
    assert reporting.read(QualityReport.objects.get()).totals.judgments == 16


@pytest.mark.slow
def test_the_comparison_of_methods_is_made_anew_once_votes_have_grown(monkeypatch: Any) -> None:
    project, _ = busy()
    reporting.make(project=project)
    asked = []
    compared = reporting.comparing.compared
    monkeypatch.setattr(
        reporting.comparing, "compared", lambda *args, **more: asked.append(1) or compared(*args, **more)
    )
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    reporting.make(project=project)
    assert asked == []
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    reporting.make(project=project)
    assert asked == [1]


@pytest.mark.slow
def test_the_command_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    project, _ = busy()
    call_command("quality", project.slug, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["project"], told["judgments"], told["aggregation"]) == (project.slug, 16, "vote-shares")
    by_name = {one["row"]["name"]: one for one in told["annotators"]}
    assert [flag["kind"] for flag in by_name["bad"]["assessment"]["flags"]] == ["gold"]
    assert by_name["bad"]["state"] == "active"
    call_command("quality", project.slug, follow_policy=True)
    said = capsys.readouterr().out
    assert "bad: paused, 8 judgments, gold 0/8" in said
    assert "fails gold: 0 of 8 gold answers right" in said


@pytest.mark.slow
def test_the_bonus_report_says_who_has_earned_one_and_what_the_others_lack() -> None:
    project = factories.project(overlap=3)
    steady, other, hasty = (factories.user(name) for name in ("steady", "other", "hasty"))
    for number in range(50):
        item = factories.pair_item(project)
        order = (number % 2, 1 - number % 2)
        truth = "ab"[(number // 2) % 2]
        for one in (steady, other):
            factories.judgment(item, one, truth, display_order=order, seconds=30.0)
        if number < 10:
            factories.judgment(item, hasty, truth, display_order=order, seconds=30.0)
    for number in range(12):
        gold_item = factories.gold_item(project, choice="a")
        order = (number % 2, 1 - number % 2)
        factories.judgment(gold_item, steady, "a", display_order=order)
    boss = factories.user("boss")
    boss.is_superuser = True
    boss.save()

    def rows() -> dict[str, tuple[str, str]]:
        answer = browser(boss).get(f"/p/{project.slug}/monitor/bonus.csv")
        lines = csv.DictReader(io.StringIO(answer.content.decode()))
        return {one["username"]: (one["earned"], one["missing"]) for one in lines}

    assert rows() == {
        "steady": ("yes", ""),
        "other": ("no", "gold not passed"),
        "hasty": ("no", "few votes; gold not passed"),
    }
    standing.pause(project=project, annotator=steady, actor=boss)
    assert "steady" not in rows()

"""Selections take turns: whoever comes second chooses among what is left, and gets its full number."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event, Thread
from typing import Any

import pytest
from django.db import connections
from django.urls import reverse

from activelearning import views
from activelearning.models import LoopTurn, SelectedPair, SelectionBatch
from activelearning.services import looping, policies, selecting, supplying
from annotation.models.project import Project
from tests import factories
from tests.activelearning import scored
from tests.annotation.crowds import at_once
from tests.cast import browser, make_cast


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@contextmanager
def somebody_selecting(project: Project) -> Iterator[None]:
    """Another connection is at it, as a worker of the loop would be."""
    begun, enough = Event(), Event()

    def hold() -> None:
        try:
            with selecting.alone(project) as mine:
                assert mine
                begun.set()
                enough.wait(30)
        finally:
            connections.close_all()

    thread = Thread(target=hold)
    thread.start()
    assert begun.wait(30)
    try:
        yield
    finally:
        enough.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_selections_at_once_both_get_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were they to choose side by side, both would choose the same: of one state and by one seed."""
    project = scored.candidates(2)
    together, choose = Barrier(2), selecting.choose

    def side_by_side(**values: Any) -> Any:
        with suppress(BrokenBarrierError):  # as it should be: the other one waits for its turn
            together.wait(timeout=1)
        return choose(**values)

    monkeypatch.setattr(selecting, "choose", side_by_side)
    made = at_once(lambda _: selecting.select(project=project, n=20, seed=1), range(2))
    assert sorted(batch.number for batch in made if batch) == [1, 2]
    assert [batch.pairs.count() for batch in made if batch] == [20, 20]
    assert SelectedPair.objects.values("item").distinct().count() == 40


@pytest.mark.django_db(transaction=True)
def test_another_project_does_not_wait() -> None:
    busy, idle = scored.candidates(1), scored.candidates(1)
    with somebody_selecting(busy):
        assert selecting.select(project=idle, n=3, wait=0) is not None
        with pytest.raises(selecting.SelectionUnderWay):
            selecting.select(project=busy, n=3, wait=0)
    assert selecting.select(project=busy, n=3, wait=0) is not None


@pytest.mark.django_db(transaction=True)
def test_a_refill_comes_at_another_tick_and_the_project_does_not_count_as_empty() -> None:
    project = scored.candidates(1, overlap=1)
    policies.set_policy(project=project, batch_size=6)
    with somebody_selecting(project):
        assert supplying.refill_low_queues() == 0
    assert supplying.refill_low_queues() == 1


@pytest.mark.django_db(transaction=True)
def test_a_turn_of_the_loop_waits_and_loses_no_attempt() -> None:
    project = scored.candidates(1)
    LoopTurn.objects.create(project=project, judgments=0, state="selecting", estimate={"missing": "scores"})
    with somebody_selecting(project):
        assert looping.advance_turns() == 0
        turn = LoopTurn.objects.get()
        assert (turn.state, turn.attempts, turn.note) == ("selecting", 0, "")
    assert looping.advance_turns() == 1
    assert LoopTurn.objects.get().batch == SelectionBatch.objects.get()


@pytest.mark.django_db(transaction=True)
def test_a_person_is_told_when_the_other_one_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = make_cast()
    factories.pair_item(cast.project)
    monkeypatch.setattr(views, "WAIT", 0.0)
    with somebody_selecting(cast.project):
        reply = browser(cast.engineer).post(
            reverse("activelearning:select", args=[cast.project.slug]), {"n": 1}, follow=True
        )
    assert "Another selection is being made for this project." in reply.content.decode()
    assert not SelectionBatch.objects.exists()

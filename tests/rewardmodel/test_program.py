"""How a program of training ends: which reason is kept when several processes fail."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewardmodel.training import program, stopping
from rewardmodel.training.failure import TrainingError


@pytest.fixture(autouse=True)
def sigterm_as_it_was() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def fail(reason: str) -> None:
    raise TrainingError(reason)


def reason(folder: Path) -> str:
    return str(json.loads((folder / "failure.json").read_text())["reason"])


def test_the_first_process_to_fail_gives_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def second(_: stopping.Stop) -> None:
        assert program.carry_out(lambda _: fail("The disk is full."), tmp_path) == 1
        fail("The connection to the first process was lost.")

    assert program.carry_out(second, tmp_path) == 1
    assert reason(tmp_path) == "The disk is full."
    assert "connection" in capsys.readouterr().err  # its own words are in the log


def test_a_file_whose_stamp_lags_by_a_tick_is_of_this_attempt(tmp_path: Path) -> None:
    def second(_: stopping.Stop) -> None:
        program.carry_out(lambda _: fail("The disk is full."), tmp_path)
        stamp = time.time_ns() - 20_000_000
        os.utime(tmp_path / "failure.json", ns=(stamp, stamp))
        fail("The connection to the first process was lost.")

    program.carry_out(second, tmp_path)
    assert reason(tmp_path) == "The disk is full."


def test_the_reason_of_an_earlier_attempt_is_replaced(tmp_path: Path) -> None:
    program.carry_out(lambda _: fail("There is one vote."), tmp_path)
    os.utime(tmp_path / "failure.json", (1, 1))
    program.carry_out(lambda _: fail("The disk is full."), tmp_path)
    assert reason(tmp_path) == "The disk is full."


def test_how_it_ends_is_told_by_its_code(tmp_path: Path) -> None:
    def stopped(_: stopping.Stop) -> None:
        raise stopping.StoppedError

    assert program.carry_out(lambda _: None, tmp_path) == 0
    assert program.carry_out(stopped, tmp_path) == stopping.EXIT_CODE
    assert not (tmp_path / "failure.json").exists()

"""Replays: started once, carried out or resumed whatever happens, and shown for what they are."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from activelearning.models import LoopPolicy, Replay
from activelearning.services import replaying
from activelearning.services.replaying import CannotReplay
from annotation.models.project import Project
from annotation.services import aggregating
from rewardmodel.services import scoring, sending
from rewardmodel.services.children import Child
from tests import factories
from tests.activelearning import scored
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db
ASKED = {"recipes": ["regret", "d-optimal"], "seeds": 5, "batch": 10}


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What would have been sent to a worker."""
    found: list[int] = []
    monkeypatch.setattr(sending, "wake", lambda task, pk: found.append(pk) or True)
    return found


@pytest.fixture(autouse=True)
def _labels_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft labels of these tests rest on no votes."""
    monkeypatch.setattr(aggregating, "refresh", lambda project: None)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def labels(project: Project, prompts: int = 75, *, model: bool = True) -> None:
    """Two labelled pairs a prompt, won by the response with the larger made-up reward."""
    if model:
        factories.ensemble(factories.run(project))
    for _ in range(prompts):
        a, b, c = factories.responses(factories.prompt(project), 3)
        for pair in ((a, b), (b, c)):
            sides = [np.random.default_rng(one.pk).normal(size=scored.DIMENSIONS)[0] for one in pair]
            item = factories.pair_item(project, pair=pair)
            factories.soft_label(item, p_a=float(sides[0] > sides[1]), votes=2)


def score_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    scored.score_by(monkeypatch, lambda response, rng: np.zeros(scored.MEMBERS))
    made = scoring.score

    def score(**asked: object) -> scoring.ScoredResponses:
        found = made(**asked)
        features = [np.random.default_rng(pk).normal(size=scored.DIMENSIONS) for pk in found.response_ids]
        return scoring.ScoredResponses(
            found.response_ids, found.rewards, np.array(features, np.float32), 1.0, 0.0
        )

    monkeypatch.setattr(scoring, "score", score)


def queued(project: Project, **fields: object) -> Replay:
    config = {**ASKED, "recipes": [*ASKED["recipes"], "random"]}
    return Replay.objects.create(**{"project": project, "config": config, **fields})


def words(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# --- asking ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_is_started_once_and_sent(
    cast: Cast, sent: list[int], django_capture_on_commit_callbacks: object
) -> None:
    labels(cast.project)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        first = replaying.start(project=cast.project, actor=cast.engineer, **ASKED)
    assert first.config == {"recipes": ["regret", "d-optimal", "random"], "seeds": 5, "batch": 10}
    assert first.created_by == cast.engineer
    assert sent == [first.pk]
    assert replaying.start(project=cast.project, **ASKED) == first
    assert replaying.reconcile() == []  # its message is under way


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipes": []}, "Choose one to 4 recipes"),
        ({"recipes": ["random"]}, "Choose one to 4 recipes"),
        ({"recipes": ["regret", "magic"]}, "Choose one to 4 recipes"),
        ({"seeds": 21}, "5 to 20 repetitions"),
        ({"batch": 4}, "batches of 5 to 500"),
        ({}, "There is no model yet"),
    ],
)
def test_what_cannot_be_replayed_is_refused(cast: Cast, change: dict[str, object], said: str) -> None:
    with pytest.raises(CannotReplay, match=said):
        replaying.start(project=cast.project, **{**ASKED, **change})


@pytest.mark.slow
def test_too_few_labels_are_refused(cast: Cast) -> None:
    labels(cast.project, 74)
    with pytest.raises(CannotReplay, match="148 labelled pairs are too few"):
        replaying.start(project=cast.project, **ASKED)


def test_a_project_of_rankings_is_refused() -> None:
    with pytest.raises(CannotReplay, match="two responses"):
        replaying.start(project=factories.project(kind="ranking"), **ASKED)


# --- carrying out ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_is_carried_out_in_a_child_process_and_its_files_go(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels(cast.project)
    score_made_up(monkeypatch)
    made = queued(cast.project)
    assert replaying.execute(made.pk)
    made.refresh_from_db()
    assert (made.state, made.reason, made.attempts) == ("done", "", 1)
    assert made.result is not None
    assert made.result["pairs"] == 150
    assert [one["name"] for one in made.result["recipes"]] == ["regret", "d-optimal", "random"]
    assert made.result["recipes"][2]["curve"][-1]["value"] > 0.75  # one feature decides: it is learned
    assert made.finished_at is not None
    assert not replaying.folder(made).exists()
    assert not replaying.execute(made.pk)  # a message that comes twice


class FakeChild:
    """Polls as told; what it leaves in the folder, it leaves at the first poll."""

    codes: Iterator[int | None]
    ended = 0

    def __init__(self, module: str, arguments: list[Path], *, log: Path) -> None:
        log.write_text("some words\n")

    def poll(self, seconds: float) -> int | None:
        return next(self.codes)

    def end(self) -> None:
        type(self).ended += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeChild]:
    monkeypatch.setattr(replaying, "Child", FakeChild)
    monkeypatch.setattr(
        replaying, "_write_world", lambda replay, where: (where / "world.npz").write_bytes(b"")
    )
    FakeChild.ended = 0
    return FakeChild


def test_a_child_that_dies_fails_the_replay_with_its_last_words(cast: Cast, fake: type[FakeChild]) -> None:
    fake.codes = iter([None, -9])
    made = queued(cast.project)
    replaying.execute(made.pk)
    made.refresh_from_db()
    assert made.state == "failed"
    assert "exit code -9. Its last words: some words" in made.reason
    assert fake.ended == 1


def test_a_worker_that_stops_gives_it_back_without_counting(
    cast: Cast, fake: type[FakeChild], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.codes = iter([None, None])
    monkeypatch.setattr(replaying.stopping, "is_set", lambda: True)
    made = queued(cast.project)
    replaying.execute(made.pk)
    made.refresh_from_db()
    assert (made.state, made.attempts, made.lease_expires_at) == ("queued", 0, None)
    assert (replaying.folder(made) / "world.npz").exists()  # to go on from


def test_whoever_lost_it_writes_nothing_more(cast: Cast, fake: type[FakeChild]) -> None:
    made = queued(cast.project)

    def codes() -> Iterator[int | None]:
        Replay.objects.filter(pk=made.pk).update(attempts=2)  # another worker has it
        yield None

    fake.codes = codes()
    replaying.execute(made.pk)
    made.refresh_from_db()
    assert (made.state, made.attempts, made.progress) == ("running", 2, {})
    assert fake.ended == 1


def test_progress_reaches_the_row(cast: Cast, fake: type[FakeChild]) -> None:
    made = queued(cast.project)

    def codes() -> Iterator[int | None]:
        (replaying.folder(made) / "progress.json").write_text('{"done": 3, "total": 15}')
        yield None
        yield 1

    fake.codes = codes()
    replaying.execute(made.pk)
    made.refresh_from_db()
    assert made.progress == {"done": 3, "total": 15}


def test_what_nobody_works_on_is_sent_again_three_times_at_most(cast: Cast, sent: list[int]) -> None:
    past = timezone.now() - timedelta(seconds=1)
    lost = queued(cast.project, state="running", attempts=2, lease_expires_at=past)
    given_up = queued(cast.other_project, state="running", attempts=3, lease_expires_at=past)
    assert replaying.reconcile() == [lost.pk] == sent
    lost.refresh_from_db()
    given_up.refresh_from_db()
    assert lost.state == "queued"
    assert (given_up.state, given_up.lease_expires_at) == ("failed", None)
    assert "lost several times" in given_up.reason
    assert given_up.finished_at is not None


def test_a_replay_at_work_is_left_alone(cast: Cast, sent: list[int]) -> None:
    soon = timezone.now() + timedelta(seconds=30)
    queued(cast.project, state="running", attempts=1, lease_expires_at=soon)
    assert replaying.reconcile() == [] == sent


@pytest.mark.slow
def test_the_program_is_one_that_a_leash_can_start(tmp_path: Path) -> None:
    child = Child(replaying.PROGRAM, [tmp_path], log=tmp_path / "log.txt")
    assert child.wait() != 0
    child.close()
    assert "plan.json" in (tmp_path / "log.txt").read_text()


# --- pages -----------------------------------------------------------------------------------------


def ratio(value: float, low: float, high: float, *, censored: bool = False) -> dict[str, object]:
    share = 1.0 if censored else 0.0
    return {
        "value": value, "low": low, "high": high, "censored": censored, "censored_share": share, "seeds": 5,
    }  # fmt: skip


def result() -> dict[str, object]:
    curve = [{"value": value, "low": value - 0.02, "high": value + 0.02} for value in (0.6, 0.65, 0.7)]
    both = {"labels": [50, 100, 200], "curve": curve}
    gain = {"value": 0.012, "low": 0.004, "high": 0.02, "seeds": 5}
    return {
        "pairs": 1500, "prompts": 300, "labels": 200,
        "levels": [{"at": 100, "accuracy": 0.65}, {"at": 200, "accuracy": 0.7}],
        "recipes": [
            {"name": "random", **both, "gain": None, "needed": [ratio(1, 1, 1), ratio(1, 1, 1)]},
            {"name": "regret", **both, "gain": gain, "needed": [ratio(0.6, 0.5, 0.9), ratio(0.8, 0.7, 1.2)]},
            {"name": "d-optimal", **both, "gain": gain,
             "needed": [ratio(1.5, 1.2, 1.9), ratio(1, 1, 1, censored=True)]},
        ],
    }  # fmt: skip


def page(cast: Cast, made: Replay | None = None, **headers: str) -> HttpResponse:
    args = ["harbour"] if made is None else ["harbour", made.pk]
    url = reverse("activelearning:replays" if made is None else "activelearning:replay", args=args)
    return browser(cast.engineer).get(url, headers=headers)


def test_too_few_labels_are_said_on_the_page(cast: Cast) -> None:
    response = page(cast)
    assert "0 labelled pairs are too few to tell recipes apart; at least 150 are needed." in words(response)
    assert '<button class="btn btn--primary" disabled>' in response.content.decode()


@pytest.mark.slow
def test_the_form_starts_a_replay_and_shows_it_waiting(cast: Cast) -> None:
    labels(cast.project)
    client = browser(cast.engineer)
    url = reverse("activelearning:start_replay", args=["harbour"])
    response = client.post(url, {"recipes": ["regret"], "seeds": 5, "batch": 10}, follow=True)
    assert "Waiting for a training worker" in words(response)
    assert "No training worker is running." in words(response)
    assert "Queued Regret engineer" in words(page(cast))


def test_what_is_wrong_is_said_beside_the_form(cast: Cast) -> None:
    client = browser(cast.engineer)
    url = reverse("activelearning:start_replay", args=["harbour"])
    response = client.post(url, {"seeds": 50, "batch": 10})
    assert response.status_code == 422
    assert "Choose at least one recipe." in words(response)
    assert "Repetitions: Ensure this value is less than or equal to 20." in words(response)
    response = client.post(url, {"recipes": ["regret"], "seeds": 5, "batch": 10})
    assert response.status_code == 422
    assert "There is no model yet" in words(response)


def test_a_replay_under_way_is_polled_and_its_end_reloads(cast: Cast) -> None:
    made = queued(cast.project, state="running", progress={"done": 3, "total": 15})
    whole, part = page(cast, made), page(cast, made, hx_request="true")
    assert "3/15" in words(whole)
    assert part.content.decode().startswith('<section id="live"')
    Replay.objects.filter(pk=made.pk).update(state="failed", reason="Too <little>.")
    assert page(cast, made, hx_request="true")["HX-Refresh"] == "true"
    assert "The replay failed. Too &lt;little&gt;." in words(page(cast, made))


def test_the_result_names_labels_money_and_what_was_never_reached(cast: Cast) -> None:
    made = queued(cast.project, state="done", result=result())
    text = words(page(cast, made))
    assert "Accuracy .650 random: 100 labels" in text
    assert "Regret 60 60 % 50 to 90 160 80 % 140 to 240 +1.2 (.4 to 2)" in text
    assert "D-optimal 150 150 % 120 to 190 never reached not with 200 labels" in text
    assert "Random 100 200 –" in text
    assert "On 1,500 labelled pairs of 300 prompts" in text
    assert "USD" not in text
    LoopPolicy.objects.create(project=cast.project, label_cost="0.25", currency="EUR")
    text = words(page(cast, made))
    assert "50 to 90 15.00 EUR" in text
    assert "Random 100 25.00 EUR 200 50.00 EUR" in text
    html = page(cast, made).content.decode()
    assert re.findall(r"badge badge--(\w+)\">\d+ %", html) == ["good", "bad"]  # not where 1 is inside


def test_the_result_downloads(cast: Cast) -> None:
    made = queued(cast.project, state="done", result=result())
    url = reverse("activelearning:replay_csv", args=["harbour", made.pk])
    rows = list(csv.reader(io.StringIO(browser(cast.engineer).get(url).content.decode())))
    assert len(rows) == 1 + 3 * 3 + 3 * 2
    assert rows[1] == ["random", "accuracy", "50", "0.6", "0.58", "0.62", ""]
    assert rows[-1] == ["d-optimal", "labels for what random reaches", "200", "200", "200", "200", "yes"]


def test_a_replay_of_another_project_is_not_there(cast: Cast) -> None:
    assert page(cast, queued(cast.other_project)).status_code == 404


def test_the_pages_ask_the_database_as_often_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = browser(cast.engineer)
    for _ in range(2):
        made = queued(cast.project, state="done", result=result(), created_by=cast.engineer)
        with django_assert_num_queries(7):
            client.get(reverse("activelearning:replays", args=["harbour"]))
        with django_assert_num_queries(7):
            client.get(reverse("activelearning:replay", args=["harbour", made.pk]))

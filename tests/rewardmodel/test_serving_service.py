"""Reward servers as child processes: what is active is followed, and the pages' questions find their way."""

import threading
import time

import pytest

from rewardmodel.services import serving
from tests import factories
from tests.rewardmodel.bundles import write_ensemble
from tests.rewardmodel.worlds import run_folder

pytestmark = pytest.mark.django_db
ITEMS = {"items": [{"prompt": "the cat", "response": "because"}]}


def active(project, seed=0):
    run = factories.run(project)
    write_ensemble(run_folder(run) / "ensemble", seed=seed)
    project.ensembles.update(active=False)
    factories.ensemble(run)
    return run


def test_listings_are_the_active_ensembles():
    one, other, none = (factories.project() for _ in range(3))
    active(one)
    second = active(one)
    active(other)
    found = serving.active_listings()
    assert found[one.slug] == {"run": second.number, "ensemble": str(run_folder(second) / "ensemble")}
    assert other.slug in found
    assert none.slug not in found
    assert list(serving.active_listings(one)) == [one.slug]


def test_without_a_process_it_is_said_how_to_start_one(settings, tmp_path):
    settings.LAUREL_DATA_DIR = tmp_path
    with pytest.raises(serving.ScorerMissing, match=r"\./laurel up starts it"):
        serving.ask(project=factories.project(), question=ITEMS)
    settings.LAUREL_DATA_DIR = tmp_path / ("long" * 40)
    with pytest.raises(serving.ScorerMissing, match="shorter path"):
        serving.ask(project=factories.project(), question=ITEMS)


def test_a_token_is_in_no_list_of_processes_and_gone_afterwards():
    with serving.token_file("s3cret") as words:
        assert words[1].read_text() == "s3cret"
        assert words[1].stat().st_mode & 0o777 == 0o600
        assert "s3cret" not in " ".join(map(str, words))
    assert not words[1].exists()
    with serving.token_file(None) as words:
        assert words == []


@pytest.mark.slow
def test_the_scorer_answers_over_its_socket_and_follows_a_promotion(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.1)
    project = factories.project()
    now = {"listings": _listing(active(project))}
    serving.scorer_socket().parent.mkdir(exist_ok=True)
    stop, codes = threading.Event(), []
    words = ["--socket", serving.scorer_socket()]
    log = tmp_path / "log"
    thread = threading.Thread(
        target=lambda: codes.append(
            serving.serve(words, log=log, listings=lambda: now["listings"], stop=stop)
        )
    )
    thread.start()
    try:
        assert _first_answer(project)["ensemble"]["run"] == 1
        with pytest.raises(serving.ScorerRefused) as refused:
            serving.ask(project=project, question={"items": [{}]})
        assert (refused.value.status, refused.value.body["field"]) == (422, "items[0].prompt")
        with pytest.raises(serving.ScorerRefused) as nobody:
            serving.ask(project=factories.project(), question=ITEMS)
        assert nobody.value.status == 404
        now["listings"] = _listing(active(project, seed=1))
        deadline = time.monotonic() + 60
        while serving.ask(project=project, question=ITEMS)["ensemble"]["run"] != 2:
            assert time.monotonic() < deadline
    finally:
        stop.set()
        thread.join(60)
    assert codes == [0]
    with pytest.raises(serving.ScorerMissing):
        serving.ask(project=project, question=ITEMS)


def _listing(run):
    return {run.project.slug: {"run": run.number, "ensemble": str(run_folder(run) / "ensemble")}}


def _first_answer(project):
    deadline = time.monotonic() + 120
    while True:
        try:
            return serving.ask(project=project, question=ITEMS)
        except serving.ScorerMissing:
            assert time.monotonic() < deadline
            time.sleep(0.1)

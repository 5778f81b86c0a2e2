"""The reward server: three shapes, one truth; errors that name the field; swaps and ends without a loss."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rewardmodel.training.scoring import scorer
from rewardmodel.training.scoring.conversation import Exchange, Turn
from rewardmodel.training.serving import roster, server, shapes
from rewardmodel.training.serving.batching import Batcher
from tests.rewardmodel.bundles import write_ensemble
from tests.rewardmodel.serving import ask, serving

ROOT = Path(__file__).resolve().parents[2]
ITEMS = [{"prompt": "Why the cat?", "response": f"because {i} {'stone ' * i}"} for i in range(5)]
CHATML = "<|im_start|>user\nWhy the cat?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_ensemble(tmp_path_factory.mktemp("bundle") / "ensemble")


def load(listing):
    return scorer.load(listing.ensemble, project=listing.project, run=listing.run)


@pytest.fixture(scope="module")
def port(folder):
    served = roster.Roster(load)
    served.update({"garden": roster.Listing(folder, "garden", 3)})
    with serving(served, server.Options(penalty=0.5)) as found:
        yield found


@pytest.fixture(scope="module")
def truth(folder):
    return scorer.load(folder).score(
        [Exchange((Turn("user", item["prompt"]),), item["response"]) for item in ITEMS]
    )


def test_the_native_shape_tells_everything(port, truth):
    status, found = ask(port, {"items": ITEMS}, "/score")
    assert status == 200
    np.testing.assert_allclose([row["mean"] for row in found["results"]], truth.mean, atol=1e-5)
    np.testing.assert_allclose([row["std"] for row in found["results"]], truth.std, atol=1e-5)
    np.testing.assert_allclose(
        [row["conservative"] for row in found["results"]], truth.mean - 0.5 * truth.std, atol=1e-5
    )
    assert found["results"][0]["criteria"].keys() == {"overall"}
    assert (found["ensemble"]["project"], found["ensemble"]["run"], found["lambda"]) == ("garden", 3, 0.5)
    assert found["ensemble"]["sha256"] == truth.ensemble.sha256
    _, plain = ask(port, {"items": ITEMS, "lambda": 0}, "/projects/garden/score")
    np.testing.assert_allclose([r["conservative"] for r in plain["results"]], truth.mean, atol=1e-5)


def test_openrlhf_with_and_without_a_chat_template(port, truth):
    for prompt, end in ((CHATML, "<|im_end|>"), ("Why the cat?", "</s>")):
        body = {
            "query": [prompt + item["response"] + end for item in ITEMS],
            "prompts": [prompt] * len(ITEMS),
            "labels": [""] * len(ITEMS),
        }
        status, found = ask(port, body)
        assert status == 200
        stripped = np.array([len(item["response"].strip()) for item in ITEMS])
        assert stripped.min() > 0
        np.testing.assert_allclose(found["rewards"], _of_stripped(port), atol=1e-5)
        assert found["scores"] == found["rewards"]
        assert all(isinstance(v, float) for values in found["extra_logs"].values() for v in values)


def test_llamafactory_sends_whole_conversations(port):
    messages = [CHATML + item["response"] + "<|im_end|>\n" for item in ITEMS]
    status, found = ask(port, {"model": "model", "messages": messages}, "/")
    assert status == 200
    np.testing.assert_allclose(found["scores"], _of_stripped(port), atol=1e-5)


def _of_stripped(port):
    """Templates take white space off the ends of an answer."""
    items = [item | {"response": item["response"].strip()} for item in ITEMS]
    return [row["conservative"] for row in ask(port, {"items": items})[1]["results"]]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b"[" * 100_000, 400, None),
        ([], 422, "body"),
        ({}, 422, "body"),
        ({"items": []}, 422, "items"),
        ({"items": "x"}, 422, "items"),
        ({"items": [{"prompt": "p"}]}, 422, "items[0].response"),
        ({"items": ITEMS, "lambda": "1"}, 422, "lambda"),
        ({"items": ITEMS, "extra": 1}, 422, "extra"),
        ({"items": ITEMS * 1000}, 422, "items"),
        ({"query": ["p r"], "prompts": ["p", "q"]}, 422, "prompts"),
        ({"query": ["p r", 5], "prompts": ["p", "q"]}, 422, "query[1]"),
        ({"query": ["p r", "x r"], "prompts": ["p", "q"]}, 422, "query[1]"),
        ({"messages": ["no template"]}, 422, "messages[0]"),
    ],
)
def test_what_is_wrong_is_named(port, body, status, field):
    got, found = ask(port, body)
    assert got == status
    assert found.get("field") == field
    assert found["error"]


def test_paths_methods_and_sizes(port, monkeypatch):
    assert ask(port, {"items": ITEMS}, "/projects/orchard/score")[0] == 404
    assert "garden" in ask(port, {"items": ITEMS}, "/projects/orchard/score")[1]["error"]
    assert ask(port, {"items": ITEMS}, "/elsewhere")[0] == 404
    assert ask(port, None, "/elsewhere", "GET")[0] == 404
    status, health = ask(port, None, "/health", "GET")
    assert (status, health["status"], health["projects"]["garden"]["run"]) == (200, "ok", 3)
    monkeypatch.setattr(server, "LARGEST_BODY", 10)
    assert ask(port, {"items": ITEMS})[0] == 413


@pytest.mark.slow
def test_the_token_is_asked_for(folder):
    served = roster.Roster(load)
    served.update({None: roster.Listing(folder)})
    with serving(served, server.Options(token="secret")) as port:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
            assert ask(port, {"items": ITEMS}, **headers)[0] == 401
            assert "projects" not in ask(port, None, "/health", "GET", **headers)[1]
        assert ask(port, {"items": ITEMS}, Authorization="Bearer secret")[0] == 200


@pytest.mark.slow
def test_a_full_queue_is_503_and_says_when_to_come_back(folder, monkeypatch):
    gate = threading.Event()

    def slow(listing):
        gate.wait(30)
        return load(listing)

    served = roster.Roster(slow, lambda score: Batcher(score, queue=2, batch=1))
    served.update({None: roster.Listing(folder)})
    with serving(served) as port:
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(ask(port, {"items": ITEMS[:1]}))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        while len(answers) < 5:
            time.sleep(0.01)
        assert {status for status, _ in answers} == {503}
        assert "no room" in answers[0][1]["error"]
        gate.set()
        for thread in threads:
            thread.join(30)
        assert sorted(status for status, _ in answers) == [200] * 3 + [503] * 5


@pytest.mark.slow
def test_a_promoted_ensemble_takes_over_and_no_request_is_lost(folder, tmp_path):
    encoder = folder.parent / "encoder"
    other = write_ensemble(tmp_path / "ensemble", seed=9, encoder_folder=encoder)
    path = tmp_path / "roster.json"

    def write(ensemble, run):
        (tmp_path / "draft").write_text(json.dumps({"garden": {"run": run, "ensemble": str(ensemble)}}))
        (tmp_path / "draft").replace(path)

    write(folder, 1)
    served = roster.Roster(load)
    served.follow(path)
    expected = {1: scorer.load(folder), 2: scorer.load(other)}
    answers, stop = [], threading.Event()

    def client():
        while not stop.is_set():
            answers.append(ask(port, {"items": ITEMS[:1]}))

    with serving(served) as port:
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        _until(lambda: len(answers) > 20)
        path.write_text("{half")  # a moment in which the file cannot be read changes nothing
        time.sleep(2 * roster.LOOK_SECONDS)
        write(tmp_path / "nothing there", 7)  # nor does an ensemble that cannot be loaded
        time.sleep(2 * roster.LOOK_SECONDS)
        write(other, 2)
        _until(lambda: answers[-1][1]["ensemble"]["run"] == 2)
        stop.set()
        for thread in threads:
            thread.join(30)
    assert {status for status, _ in answers} == {200}
    runs = [found["ensemble"]["run"] for _, found in answers]
    assert set(runs) == {1, 2}
    first = Exchange((Turn("user", ITEMS[0]["prompt"]),), ITEMS[0]["response"])
    for _, found in answers:
        right = expected[found["ensemble"]["run"]]
        assert found["ensemble"]["sha256"] == right.identity.sha256
        assert found["results"][0]["mean"] == pytest.approx(right.score([first]).mean[0], abs=1e-5)


def _until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_sigterm_answers_what_has_come(folder, tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rewardmodel.training.serving", str(folder), "--port", "0"],
            cwd=ROOT,
            stderr=log,
        )
    _until(lambda: b"/get_reward" in (tmp_path / "log").read_bytes() or process.poll() is not None)
    port = int((tmp_path / "log").read_text().rsplit(":", 1)[1].split("/")[0])
    answers, refused = [], []

    def client():
        while True:
            try:
                answers.append(ask(port, {"items": ITEMS})[0])
            except ConnectionRefusedError:  # it has ended: the only way out that loses nothing
                refused.append(1)
                return

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    _until(lambda: len(answers) > 20)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    assert process.wait(60) == 0
    assert len(refused) == 4
    assert set(answers) == {200}


def test_the_program_refuses_what_is_unsafe_or_unclear(tmp_path, capsys):
    from rewardmodel.training.serving import __main__ as serve

    for words in ([], ["a", "--follow", "b"], ["a", "--host", "192.0.2.1"]):
        with pytest.raises(SystemExit) as usage:
            serve.main(words)
        assert usage.value.code == 2
    assert "give --token-file" in capsys.readouterr().err
    assert serve.main([str(tmp_path / "nothing")]) == 1
    assert "does not hold a readable ensemble" in capsys.readouterr().err


def test_more_than_one_request_can_hold_is_said_before_it_is_read(monkeypatch):
    monkeypatch.setattr(shapes, "MOST", 2)
    with pytest.raises(ValueError, match="at most 2"):
        shapes.read({"items": [None] * 3})

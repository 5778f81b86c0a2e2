"""The reward server when something is wrong: strangers, slow clients, no numbers, failed loads."""

import socket
import threading

import numpy as np
import pytest

from rewardmodel.training.scoring.scorer import Identity, Scored
from rewardmodel.training.serving import __main__ as serve
from rewardmodel.training.serving import roster, server
from rewardmodel.training.serving.batching import Batcher
from tests.rewardmodel.serving import ask, serving

IDENTITY = Identity("x", "f", 1, 1.0, 0.0, "overall", "garden", 3)
ITEM = {"prompt": "Why?", "response": "1"}


class Stub:
    """Scores a response as the number it is, once `gate` is open; remembers what it was asked."""

    identity = IDENTITY

    def __init__(self):
        self.asked, self.gate = [], threading.Event()
        self.begun = threading.Event()
        self.gate.set()

    def score(self, exchanges):
        self.asked.append([each.response for each in exchanges])
        self.begun.set()
        assert self.gate.wait(30)
        values = np.array([[float(each.response)] for each in exchanges], np.float32)
        return Scored(IDENTITY, values, {"overall": values[:, 0]}, None, None)


@pytest.fixture
def stub():
    return Stub()


@pytest.fixture
def served(stub):
    found = roster.Roster(lambda listing: stub, lambda score: Batcher(score, batch=1))
    found.update({"garden": roster.Listing("there", "garden", 3)})
    return found


@pytest.mark.parametrize("response", ["nan", "inf"])
def test_a_reward_that_is_no_number_is_an_error_in_words(served, response):
    with serving(served) as port:
        status, found = ask(port, {"items": [ITEM | {"response": response}]})
        assert status == 500
        assert found["error"] == "Run 3 gives a reward that is no finite number: serve another run."
        assert ask(port, {"items": [ITEM]})[0] == 200


def test_a_stranger_is_refused_and_the_connection_goes_on(served, stub, monkeypatch):
    """The body is read in small pieces and thrown away, and the next request begins where it should."""
    monkeypatch.setattr(server, "SKIPPED_AT_ONCE", 7)
    body = b'{"items": [{"prompt": "Why?", "response": "1"}]}'
    head = b"POST /score HTTP/1.1\r\nContent-Length: %d\r\n" % len(body)
    known = head + b"Authorization: Bearer secret\r\nConnection: close\r\n\r\n" + body
    with (
        serving(served, server.Options(token="secret")) as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as stranger,
    ):
        stranger.sendall(head + b"\r\n" + body + known)
        told = b"".join(iter(lambda: stranger.recv(4096), b""))
    assert told.count(b"HTTP/1.1 ") == 2
    assert told.index(b" 401 ") < told.index(b" 200 ")
    assert stub.asked == [["1"]]


@pytest.mark.slow
def test_what_took_too_long_is_not_scored_for_nobody(served, stub, monkeypatch):
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.2)
    stub.gate.clear()
    with serving(served) as port:
        for response in ("1", "2"):  # the first is being scored, the second waits
            status, found = ask(port, {"items": [ITEM | {"response": response}]})
            assert (status, found["error"].startswith("The answer takes too long.")) == (503, True)
        monkeypatch.setattr(server, "ANSWER_SECONDS", 30)
        stub.gate.set()
        assert ask(port, {"items": [ITEM | {"response": "3"}]})[0] == 200
    assert stub.asked == [["1"], ["3"]]


def test_a_client_that_sends_no_more_leaves_no_trace_in_the_log(served, capsys, monkeypatch):
    monkeypatch.setattr(server.Handler, "timeout", 0.1)
    with serving(served) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
            slow.sendall(b"POST /score HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
            assert slow.recv(1) == b""
        assert ask(port, {"items": [ITEM]})[0] == 200
    assert "Traceback" not in capsys.readouterr().err


def test_whatever_goes_wrong_with_a_new_ensemble_the_old_one_is_served(served, capsys, monkeypatch):
    assert served.find("garden").load().identity is IDENTITY

    def fail(listing):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(served.find("garden"), "_load", fail)
    served.update({"garden": roster.Listing("elsewhere", "garden", 4)})
    assert "garden: run 4 cannot be served: The machine ran out of memory" in capsys.readouterr().err
    assert (served.find("garden").listing.run, served.find("garden").scorer.identity) == (3, IDENTITY)


def test_what_cannot_be_loaded_is_tried_again_less_and_less_often(stub):
    now, tried = [0.0], []

    def load(listing):
        tried.append((now[0], listing.run))
        if listing.run == 4:
            raise OSError("gone")
        return stub

    found = roster.Roster(load, lambda score: Batcher(score, batch=1), clock=lambda: now[0])
    found.update({"garden": roster.Listing("there", "garden", 3)})
    found.find("garden").load()
    tried.clear()
    while now[0] < 200:
        found.update({"garden": roster.Listing("there", "garden", 4)})
        now[0] += 0.5
    assert [at for at, _ in tried] == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    found.update({"garden": roster.Listing("there", "garden", 5)})  # another one is tried at once
    assert tried[-1] == (200, 5)
    assert found.find("garden").listing.run == 5


def test_an_address_that_is_taken_and_a_lambda_that_is_none_are_said(tmp_path, capsys):
    (tmp_path / "roster.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert serve.main(["--follow", str(tmp_path / "roster.json"), "--port", port]) == 1
    assert f"127.0.0.1:{port} cannot be listened on (Address already in use)" in capsys.readouterr().err
    for penalty in ("nan", "-1"):
        with pytest.raises(SystemExit):
            serve.main(["a", "--lambda", penalty])
        assert "--lambda must be between 0 and 1000" in capsys.readouterr().err

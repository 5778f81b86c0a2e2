"""Many clients, few batches: everybody gets their own scores, a full queue says so, closing loses nothing."""

import threading

import numpy as np
import pytest

from rewardmodel.training.scoring.conversation import Exchange
from rewardmodel.training.scoring.scorer import Identity, Scored
from rewardmodel.training.serving.batching import Batcher, BusyError, ClosedError

IDENTITY = Identity("x", "f", 1, 1.0, 0.0, "overall")


class Stub:
    """Scores a response as its number; holds still while `gate` is closed; remembers the batches."""

    def __init__(self):
        self.batches, self.gate = [], threading.Event()
        self.begun = threading.Event()

    def __call__(self, exchanges):
        self.begun.set()
        assert self.gate.wait(30)
        self.batches.append(len(exchanges))
        if any(each.response == "bad" for each in exchanges):
            raise RuntimeError("the wheels came off")
        values = np.array([[float(each.response)] for each in exchanges], np.float32)
        return Scored(IDENTITY, values, {"overall": values[:, 0]}, None, None)


def exchanges(*numbers):
    return [Exchange((), str(number)) for number in numbers]


@pytest.fixture
def stub():
    return Stub()


def held(stub, **options):
    """A batcher whose thread is busy with one request, so that the next ones wait."""
    batcher = Batcher(stub, **options)
    first = batcher.submit(exchanges(0))
    assert stub.begun.wait(30)
    return batcher, first


def test_those_who_wait_are_scored_together_and_each_gets_their_own(stub):
    batcher, first = held(stub, batch=64)
    waiting = [batcher.submit(exchanges(i, -i)) for i in range(1, 20)]
    stub.gate.set()
    assert first.result(30).mean.tolist() == [0.0]
    for i, answer in enumerate(waiting, start=1):
        assert answer.result(30).mean.tolist() == [i, -i]
        assert answer.result().criteria["overall"].tolist() == [i, -i]
    assert stub.batches == [1, 38]


def test_a_batch_has_its_size_unless_one_request_is_larger(stub):
    batcher, _ = held(stub, batch=4)
    answers = [batcher.submit(exchanges(*range(n))) for n in (3, 3, 9, 1)]
    stub.gate.set()
    assert [len(answer.result(30).mean) for answer in answers] == [3, 3, 9, 1]
    assert stub.batches == [1, 3, 3, 9, 1]


def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room(stub):
    batcher, _ = held(stub, queue=5)
    kept = batcher.submit(exchanges(1, 2, 3))
    with pytest.raises(BusyError, match="3 responses are waiting"):
        batcher.submit(exchanges(4, 5, 6))
    stub.gate.set()
    assert kept.result(30).mean.tolist() == [1, 2, 3]
    assert batcher.submit(exchanges(*range(9))).result(30).mean[8] == 8  # alone, a large one is taken


def test_what_nobody_waits_for_any_more_is_not_scored(stub):
    batcher, _ = held(stub, batch=2)
    given_up = [batcher.submit(exchanges(i)) for i in range(1, 4)]
    assert all(answer.cancel() for answer in given_up)
    kept = batcher.submit(exchanges(4, 5))
    stub.gate.set()
    assert kept.result(30).mean.tolist() == [4, 5]
    assert stub.batches == [1, 2]
    held_again = batcher.submit(exchanges(6))
    assert (held_again.result(30).mean.tolist(), batcher.waiting) == ([6], 0)


def test_an_error_reaches_those_of_its_batch_and_no_others(stub):
    stub.gate.set()
    batcher = Batcher(stub, batch=1)
    with pytest.raises(RuntimeError, match="wheels"):
        batcher.submit([Exchange((), "bad")]).result(30)
    assert batcher.submit(exchanges(7)).result(30).mean[0] == 7


def test_closing_answers_what_waits_and_takes_nothing_new(stub):
    batcher, first = held(stub)
    waiting = batcher.submit(exchanges(5))
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while True:
        try:
            batcher.submit(exchanges(6)).cancel()
        except ClosedError:
            break
    stub.gate.set()
    closing.join(30)
    assert (first.result().mean[0], waiting.result().mean[0]) == (0, 5)

"""Sentences with their values."""

import pickle

from activelearning.acquisition.explaining import Context, explain
from activelearning.acquisition.selection import PairScores
from activelearning.acquisition.wording import counted, plain, said


def test_a_sentence_is_english_with_its_values_filled_in() -> None:
    one = said("Off by {error:.2f} on {where}.", error=0.256, where="{this}")
    assert str(one) == "Off by 0.26 on {this}."
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  as a child process hands it back


def test_a_count_of_one_has_a_form_of_its_own() -> None:
    told = [str(counted(n, "{n} pair of {all}.", "{n} pairs of {all}.", all=9)) for n in (0, 1, 2)]
    assert told == ["0 pairs of 9.", "1 pair of 9.", "2 pairs of 9."]


def test_an_explanation_says_what_is_known_and_no_more() -> None:
    scores = PairScores(probability=0.62, deviation=1.234, stake=3.21, gain=0.1234)
    judged = Context(labelled=1200)
    assert plain(explain("regret", scores, None, judged)) == (
        "Like many pairs that the model will meet, and not settled yet (62% for the first, ± 1.23 logits). "
        "An answer decides more of their winners. "
        "An answer settles 3.2 times what one on a typical pair would."
    )
    assert plain(explain("regret", PairScores(), None, judged)) == (
        "Like many pairs that the model will meet. An answer decides more of their winners."
    )
    assert plain(explain("d_optimal", scores, None, judged)) == (
        "The two differ in a way that neither the 1,200 judged pairs nor the batch so far covers. "
        "Information gain: 0.123 nats. An answer settles 3.2 times what one on a typical pair would."
    )
    assert plain(explain("cluster", PairScores(), None, Context())) == (
        "Of a kind of which nothing in the batch so far has its share."
    )
    assert plain(explain("random", PairScores(), 0.0123, Context())).startswith(
        "Drawn at random (chance 0.012), so that"
    )

"""Answers: what may be stored, and the two orders it can be told in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.answering.answer import (
    Answer,
    InvalidAnswer,
    Question,
    checked,
    to_canonical,
    to_display,
)

PAIR = Question("pairwise", ("overall",))
SCALE = Question("pairwise", ("overall",), strength=True)
RANKING = Question("ranking", ("overall",))
RATING = Question("rating", ("overall",))
SEVERAL = Question("pairwise", ("helpful", "harmless", "honest"))


@st.composite
def answers_with_orders(draw: st.DrawFn) -> tuple[Answer, list[int]]:
    size = draw(st.integers(1, 8))
    order = draw(st.permutations(range(size)))
    numbers = st.lists(st.integers(1, 8), min_size=size, max_size=size).map(tuple)
    answers = [
        st.builds(Answer, st.just("overall"), ranks=numbers),
        st.builds(Answer, st.just("overall"), ratings=numbers),
    ]
    if size == 2:
        answers.append(
            st.builds(
                Answer,
                st.just("overall"),
                choice=st.sampled_from(["a", "b", "tie", "both_bad"]),
                strength=st.sampled_from([None, 1, 2, 3]),
            )
        )
    return draw(st.one_of(answers)), list(order)


@pytest.mark.slow
@given(answers_with_orders())
def test_there_and_back_is_the_same(told: tuple[Answer, list[int]]) -> None:
    answer, order = told
    assert to_canonical(to_display(answer, order), order) == answer
    assert to_display(to_canonical(answer, order), order) == answer


@pytest.mark.slow
@given(answers_with_orders())
def test_it_goes_through_json(told: tuple[Answer, list[int]]) -> None:
    answer, _order = told
    assert Answer.from_json(answer.as_json()) == answer


def test_display_order_says_what_stands_where() -> None:
    """Third response of the item on the left, then its first, then its second."""
    order = [2, 0, 1]
    assert to_display(Answer("overall", ranks=(1, 2, 3)), order).ranks == (3, 1, 2)
    assert to_canonical(Answer("overall", ratings=(5, 1, 2)), order).ratings == (1, 2, 5)


@pytest.mark.parametrize(
    ("shown", "order", "stored"),
    [("a", [0, 1], "a"), ("a", [1, 0], "b"), ("b", [1, 0], "a"), ("tie", [1, 0], "tie")],
)
def test_the_better_side_is_the_response_that_stood_there(shown: str, order: list[int], stored: str) -> None:
    told = to_canonical(Answer("overall", choice=shown, strength=2), order)
    assert (told.choice, told.strength) == (stored, 2)


# --- what is accepted, and as what -----------------------------------------------------------------


@pytest.mark.parametrize("ranks", [(1, 2, 2), (2, 3, 3), (1, 3, 3)])
def test_ranks_are_made_dense(ranks: tuple[int, ...]) -> None:
    (stored,) = checked([Answer("overall", ranks=ranks)], RANKING, 3)
    assert stored.ranks == (1, 2, 2)


@given(st.lists(st.integers(1, 8), min_size=8, max_size=8))
def test_dense_ranks_keep_the_order(ranks: list[int]) -> None:
    (stored,) = checked([Answer("overall", ranks=tuple(ranks))], RANKING, 8)
    dense = stored.ranks
    assert dense is not None
    assert set(dense) == set(range(1, len(set(ranks)) + 1))
    pairs = [(i, j) for i in range(8) for j in range(8)]
    assert all((ranks[i] < ranks[j]) == (dense[i] < dense[j]) for i, j in pairs)


def test_answers_come_in_the_order_of_the_criteria() -> None:
    given_in_disorder = [Answer(name, choice="a") for name in ("honest", "helpful", "harmless")]
    assert [answer.criterion for answer in checked(given_in_disorder, SEVERAL, 2)] == list(SEVERAL.criteria)


def test_a_scale_wants_a_strength_on_a_side_and_none_on_a_tie() -> None:
    assert checked([Answer("overall", choice="a", strength=3)], SCALE, 2)[0].strength == 3
    assert checked([Answer("overall", choice="tie")], SCALE, 2)[0].strength is None


def test_seven_points_and_one_response_are_fine() -> None:
    question = Question("rating", ("overall",), points=7)
    assert checked([Answer("overall", ratings=(7,))], question, 1)[0].ratings == (7,)


@pytest.mark.parametrize(
    ("question", "responses", "answer", "words"),
    [
        (PAIR, 2, Answer("overall"), "not a choice"),
        (PAIR, 2, Answer("overall", choice="c"), "not a choice"),
        (PAIR, 2, Answer("other", choice="a"), "not one of this project's criteria"),
        (PAIR, 2, Answer("overall", choice="a", ranks=(1, 2)), "not a choice"),
        (PAIR, 2, Answer("overall", choice="a", strength=1), "asks for it"),
        (PAIR, 2, Answer("overall", ratings=(1, 2)), "not a choice"),
        (SCALE, 2, Answer("overall", choice="a"), "how much better"),
        (SCALE, 2, Answer("overall", choice="a", strength=4), "how much better"),
        (SCALE, 2, Answer("overall", choice="tie", strength=1), "goes with a better side"),
        (Question("pairwise", ("overall",), ties=False), 2, Answer("overall", choice="tie"), "not a choice"),
        (
            Question("pairwise", ("overall",), both_bad=False),
            2,
            Answer("overall", choice="both_bad"),
            "not a choice",
        ),
        (RANKING, 3, Answer("overall", choice="a"), "one rank for every response"),
        (RANKING, 3, Answer("overall", ranks=(1, 2)), "3 responses and 2 ranks"),
        (RANKING, 3, Answer("overall", ranks=(0, 1, 2)), "from 1, the best, to 3"),
        (RANKING, 3, Answer("overall", ranks=(1, 2, 4)), "from 1, the best, to 3"),
        (
            Question("ranking", ("overall",), ties=False),
            3,
            Answer("overall", ranks=(1, 2, 2)),
            "without ties",
        ),
        (RATING, 2, Answer("overall", ranks=(1, 2)), "one number for every response"),
        (RATING, 2, Answer("overall", ratings=(1,)), "2 responses and 1 ratings"),
        (RATING, 2, Answer("overall", ratings=(1, 6)), "from 1 to 5"),
        (RATING, 2, Answer("overall", ratings=(0, 5)), "from 1 to 5"),
    ],
)
def test_what_is_not_accepted(question: Question, responses: int, answer: Answer, words: str) -> None:
    with pytest.raises(InvalidAnswer, match=words):
        checked([answer], question, responses)


def test_a_criterion_is_answered_once_and_each_is() -> None:
    with pytest.raises(InvalidAnswer, match="answered twice"):
        checked([Answer("overall", choice="a"), Answer("overall", choice="b")], PAIR, 2)
    with pytest.raises(InvalidAnswer, match="No answer yet for harmless, honest"):
        checked([Answer("helpful", choice="a")], SEVERAL, 2)

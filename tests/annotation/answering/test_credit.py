"""Credit against the expert: bounds, known values, and what must not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from annotation.answering.answer import Answer, to_display
from annotation.answering.credit import credit, is_right

RANKS = st.integers(2, 8).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(1, size), min_size=size, max_size=size).map(tuple)] * 2)
)
RATINGS = st.integers(1, 8).flatmap(
    lambda size: st.tuples(*[st.lists(st.integers(1, 7), min_size=size, max_size=size).map(tuple)] * 2)
)


def ranked(*ranks: int) -> Answer:
    return Answer("overall", ranks=ranks)


def rated(*ratings: int) -> Answer:
    return Answer("overall", ratings=ratings)


def chosen(choice: str, strength: int | None = None) -> Answer:
    return Answer("overall", choice=choice, strength=strength)


@pytest.mark.parametrize("choice", ["a", "b", "tie", "both_bad"])
@pytest.mark.parametrize("expert", ["a", "b", "tie", "both_bad"])
def test_a_pair_is_right_or_wrong(choice: str, expert: str) -> None:
    assert credit(chosen(choice), chosen(expert)) == (1.0 if choice == expert else 0.0)


def test_strength_does_not_count() -> None:
    assert credit(chosen("a", 1), chosen("a", 3)) == 1.0


@pytest.mark.parametrize(
    ("given_ranks", "expert", "expected"),
    [
        ((1, 2, 3), (1, 2, 3), 1.0),
        ((3, 2, 1), (1, 2, 3), 0.0),
        ((2, 1, 3), (1, 2, 3), 2 / 3),
        ((1, 1, 2), (1, 2, 3), 2 / 3),  # a tie is another order than the expert's
        ((1, 1, 1), (1, 1, 1), 1.0),
        ((1, 2, 3, 5, 4), (1, 2, 3, 4, 5), 0.9),
    ],
)
def test_a_ranking_earns_the_share_of_pairs_in_the_experts_order(
    given_ranks: tuple[int, ...], expert: tuple[int, ...], expected: float
) -> None:
    assert credit(ranked(*given_ranks), ranked(*expert)) == pytest.approx(expected)


@pytest.mark.slow
@given(st.integers(2, 8).flatmap(lambda size: st.tuples(*[st.permutations(range(1, size + 1))] * 2)))
def test_without_ties_it_is_kendalls_tau_moved_to_zero_and_one(both: tuple[list[int], list[int]]) -> None:
    mine, expert = both
    tau = kendalltau(mine, expert).statistic
    assert credit(ranked(*mine), ranked(*expert)) == pytest.approx((tau + 1) / 2)


@pytest.mark.slow
@given(RANKS, st.randoms())
def test_the_order_of_display_does_not_matter(both: tuple[tuple[int, ...], ...], rng: object) -> None:
    mine, expert = (ranked(*one) for one in both)
    order = list(range(len(both[0])))
    rng.shuffle(order)  # type: ignore[attr-defined]
    assert credit(to_display(mine, order), to_display(expert, order)) == pytest.approx(credit(mine, expert))


@pytest.mark.parametrize(
    ("given_ratings", "expert", "expected"),
    [((3,), (3,), 1.0), ((4,), (3,), 1.0), ((5,), (3,), 0.0), ((1, 5, 3), (2, 3, 3), 2 / 3)],
)
def test_ratings_may_be_a_point_off(
    given_ratings: tuple[int, ...], expert: tuple[int, ...], expected: float
) -> None:
    assert credit(rated(*given_ratings), rated(*expert)) == pytest.approx(expected)


@pytest.mark.slow
@given(RATINGS)
def test_credit_is_a_share_and_the_expert_earns_all_of_it(both: tuple[tuple[int, ...], ...]) -> None:
    mine, expert = (rated(*one) for one in both)
    assert 0.0 <= credit(mine, expert) <= 1.0
    assert credit(expert, expert) == 1.0
    assert credit(mine, expert) == credit(expert, mine)


@pytest.mark.parametrize(
    ("mine", "expert"),
    [
        (chosen("a"), ranked(1, 2)),
        (ranked(1, 2), chosen("a")),
        (rated(1, 2), ranked(1, 2)),
        (ranked(1, 2, 3), ranked(1, 2)),
        (rated(5), rated(5, 5)),
    ],
)
def test_an_answer_of_another_kind_or_length_earns_nothing(mine: Answer, expert: Answer) -> None:
    assert credit(mine, expert) == 0.0
    assert not is_right(mine, expert)


def test_four_of_five_is_right() -> None:
    assert is_right(rated(5, 5, 5, 5, 1), rated(5, 5, 5, 5, 5))
    assert not is_right(rated(5, 5, 5, 1, 1), rated(5, 5, 5, 5, 5))

"""Credit and pair votes say the same in SQL as in Python."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.answering.answer import Answer, Question
from annotation.answering.credit import credit
from annotation.answering.expert import judgment_credit
from annotation.gold_selectors import credit_sql

pytestmark = pytest.mark.django_db

SAME_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
numbers = st.lists(st.integers(1, 8), min_size=1, max_size=8).map(tuple)
answers = st.one_of(
    st.sampled_from(["a", "b", "tie", "both_bad"]).map(lambda choice: Answer("x", choice=choice)),
    numbers.map(lambda ranks: Answer("x", ranks=ranks)),
    numbers.map(lambda ratings: Answer("x", ratings=ratings)),
)


@st.composite
def of_one_length(draw: st.DrawFn) -> tuple[Answer, Answer]:
    n = draw(st.integers(1, 8))
    same = st.lists(st.integers(1, 8), min_size=n, max_size=n).map(tuple)
    kind = draw(st.sampled_from(["ranks", "ratings"]))
    return Answer("x", **{kind: draw(same)}), Answer("x", **{kind: draw(same)})


def columns(answer: Answer) -> list[object]:
    return [
        answer.choice,
        None if answer.ranks is None else list(answer.ranks),
        None if answer.ratings is None else list(answer.ratings),
    ]


@pytest.mark.slow
@SAME_DATABASE
@given(st.one_of(st.tuples(answers, answers), of_one_length()))
def test_sql_gives_the_credit_that_python_gives(pair: tuple[Answer, Answer]) -> None:
    mine, theirs = pair
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT laurel_credit(%s, %s::smallint[], %s::smallint[], %s, %s::smallint[], %s::smallint[])",
            [*columns(mine), *columns(theirs)],
        )
        assert cursor.fetchone()[0] == credit(mine, theirs)


@pytest.mark.slow
@SAME_DATABASE
@given(st.one_of(st.tuples(answers, answers), of_one_length()))
def test_a_credit_that_is_reckoned_on_the_spot_is_the_same(pair: tuple[Answer, Answer]) -> None:
    one = "(SELECT %s::text AS choice, %s::smallint[] AS ranks, %s::smallint[] AS ratings)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {credit_sql('mine', 'theirs')} FROM {one} mine, {one} theirs",  # noqa: S608
            [*columns(pair[0]), *columns(pair[1])],
        )
        assert cursor.fetchone()[0] == credit(*pair)


@pytest.mark.slow
@SAME_DATABASE
@given(answers)
def test_votes_on_pairs_are_the_order_of_the_numbers(answer: Answer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM laurel_pair_votes(%s, %s::smallint[], %s::smallint[]) ORDER BY 1, 2",
            columns(answer),
        )
        found = cursor.fetchall()
    if answer.choice:
        assert found == [(0, 1, {"a": 1, "b": -1}.get(answer.choice, 0))]
        return
    worth = [-rank for rank in answer.ranks] if answer.ranks else list(answer.ratings or ())
    assert found == [
        (i, j, (worth[i] > worth[j]) - (worth[i] < worth[j]))
        for i in range(len(worth))
        for j in range(i + 1, len(worth))
    ]


def test_a_whole_judgment_counts_the_main_criterion_of_pairs_and_the_mean_of_the_rest() -> None:
    given_ = {"m": Answer("m", choice="a"), "o": Answer("o", choice="b")}
    expert = {"m": Answer("m", choice="a"), "o": Answer("o", choice="a")}
    assert judgment_credit(given_, expert, Question("pairwise", ("m", "o"))) == 1.0
    assert judgment_credit(given_, {"o": expert["o"]}, Question("pairwise", ("m", "o"))) is None
    rated = {"m": Answer("m", ratings=(1, 5)), "o": Answer("o", ratings=(1, 1))}
    best = {"m": Answer("m", ratings=(1, 1)), "o": Answer("o", ratings=(2, 2))}
    assert judgment_credit(rated, best, Question("rating", ("m", "o"))) == 0.75
    assert judgment_credit(rated, {"o": best["o"]}, Question("rating", ("m", "o"))) == 1.0

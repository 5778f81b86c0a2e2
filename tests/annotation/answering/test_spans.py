"""Marked places: what is accepted, what is made of it, and the way from the screen to the stored order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.answering.answer import InvalidAnswer
from annotation.answering.spans import LONGEST_QUOTE, MOST_SPANS, checked, reordered

REASONS = ["factual error", "unsafe"]


def span(start: int = 4, quote: str = "wrong", *, response: int = 0, reason: str = "") -> dict[str, object]:
    end = start + len(quote.encode("utf-16-le")) // 2
    return {"response": response, "start": start, "end": end, "quote": quote, "reason": reason}


def test_spans_are_sorted_by_place_and_given_once():
    later, first, other = span(9), span(4, reason="unsafe"), span(0, response=1)
    assert checked([other, later, first, dict(later)], 2, REASONS) == [first, later, other]


def test_one_place_may_have_two_reasons():
    both = [span(reason="factual error"), span(reason="unsafe")]
    assert checked(both, 1, REASONS) == both


def test_a_reason_may_be_left_out_and_unknown_keys_are_dropped():
    given = {"response": 0, "start": 4, "end": 9, "quote": "wrong", "colour": "red", "onclick": "alert(1)"}
    assert checked([given], 1, REASONS) == [span()]


def test_lengths_count_utf_16_units_as_a_browser_does():
    assert checked([span(0, "👩‍👩‍👧")], 1, []) == [span(0, "👩‍👩‍👧")]
    assert checked([span(0, "👩‍👩‍👧")], 1, [])[0]["end"] == 8
    with pytest.raises(InvalidAnswer):
        checked([{**span(0, "👩"), "end": 1}], 1, [])


def test_half_a_character_is_stored_as_something_that_can_be():
    half = {"response": 0, "start": 0, "end": 2, "quote": "a\ud83d", "reason": ""}
    assert checked([half], 1, [])[0]["quote"] == "a?"
    assert checked([{**half, "quote": "a\x00"}], 1, [])[0]["quote"] == "a\ufffd"


@pytest.mark.parametrize(
    "wrong",
    [
        {"response": 2},
        {"response": -1},
        {"response": True},
        {"response": "0"},
        {"response": None},
        {"start": -1},
        {"start": 9},
        {"start": 4.0},
        {"end": 4},
        {"end": 10},
        {"quote": ""},
        {"quote": "wrongs"},
        {"quote": 5},
        {"quote": None},
        {"reason": "boring"},
        {"reason": None},
        {"reason": ["unsafe"]},
        {"start": 0, "end": LONGEST_QUOTE + 1, "quote": "x" * (LONGEST_QUOTE + 1)},
    ],
)
def test_a_span_that_does_not_fit_is_refused(wrong):
    assert checked([span()], 2, REASONS)
    with pytest.raises(InvalidAnswer):
        checked([{**span(), **wrong}], 2, REASONS)


@pytest.mark.parametrize("spans", [None, "[]", {}, 3, [None], [[]], ["x"]])
def test_what_is_no_list_of_spans_is_refused(spans):
    with pytest.raises(InvalidAnswer):
        checked(spans, 2, REASONS)


def test_the_longest_quote_and_the_most_spans_are_accepted_and_no_more():
    assert checked([span(0, "x" * LONGEST_QUOTE)], 1, [])
    many = [span(start) for start in range(MOST_SPANS)]
    assert len(checked(many, 1, [])) == MOST_SPANS
    with pytest.raises(InvalidAnswer):
        checked([*many, span(MOST_SPANS)], 1, [])


def test_a_span_moves_with_its_response():
    shown = [span(response=0), span(1, response=2)]
    assert [one["response"] for one in reordered(shown, [2, 0, 1])] == [2, 1]
    assert shown[0]["response"] == 0, "the spans given stay as they are"


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=8))
def test_to_the_stored_order_and_back_is_where_it_was(order, shown):
    spans = [span(place, response=response) for place, response in enumerate(shown)]
    back = sorted(range(6), key=lambda position: order[position])
    assert reordered(reordered(spans, order), back) == spans

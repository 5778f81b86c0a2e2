"""How right an answer is against the expert's, from 0 to 1, and when it counts as right."""

from itertools import combinations
from typing import Final

from annotation.answering.answer import Answer

RIGHT: Final = 0.8  # a ranking or rating with at least this credit is right
RATING_SLACK: Final = 1  # points a rating may be off


def credit(given: Answer, expert: Answer) -> float:
    """1 for the expert's answer, 0 for one that shares nothing with it.

    A pair: 1 or 0; strength does not count. A ranking: the share of response pairs that stand in the expert's
    order, ties included. Ratings: the share of responses rated within one point of the expert. An answer of
    another kind or length earns 0.
    """
    if expert.choice:
        return float(given.choice == expert.choice)
    if expert.ranks is not None:
        if given.ranks is None or len(given.ranks) != len(expert.ranks):
            return 0.0
        pairs = list(combinations(range(len(expert.ranks)), 2))
        same = sum(_order(given.ranks, pair) == _order(expert.ranks, pair) for pair in pairs)
        return same / len(pairs) if pairs else 1.0
    if expert.ratings is None or given.ratings is None or len(given.ratings) != len(expert.ratings):
        return 0.0
    near = sum(
        abs(mine - theirs) <= RATING_SLACK for mine, theirs in zip(given.ratings, expert.ratings, strict=True)
    )
    return near / len(expert.ratings)


def is_right(given: Answer, expert: Answer) -> bool:
    return credit(given, expert) >= RIGHT


def _order(ranks: tuple[int, ...], pair: tuple[int, int]) -> int:
    first, second = ranks[pair[0]], ranks[pair[1]]
    return (first > second) - (first < second)

"""Patterns in the order and logic of somebody's answers: long runs, few kinds of answer, circular choices.

None of them says that somebody is careless; each says where to look.

run         the longest run of one answer on the screen. Of n answers drawn with the annotator's own shares
            p_k, a run of r or more comes up with chance about 1 − exp(−Σ_k ((n − r)(1 − p_k) + 1) p_k^r).
entropy     H = −Σ p_k log₂ p_k of the answers on the screen, in bits.
triads      three responses of one prompt, compared two at a time. Circular: a over b, b over c, c over a. Of
            triads without ties, coins make a quarter circular.

Sources: W. Feller (1968), An Introduction to Probability Theory, vol. 1, ch. XIII.7 (runs; the Poisson limit
as in R. Arratia, L. Goldstein, L. Gordon 1990); C. Shannon (1948); M. Kendall, B. Babington Smith (1940), On
the method of paired comparisons (circular triads).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.aggregation.shares import FloatArray, IntArray, UnusableVotesError


@dataclass(frozen=True, slots=True)
class Run:
    """length: of the longest run, of this answer; chance: that one as long comes up by itself."""

    length: int
    answer: int
    answers: int
    chance: float


def longest_run(answers: npt.ArrayLike) -> Run | None:
    """Of whole numbers in the order in which they were given; None without any."""
    given = np.asarray(answers, dtype=np.int64)
    if given.ndim != 1:
        raise UnusableVotesError(f"answers are a flat array in their order, not {given.shape}")
    if not given.size:
        return None
    starts = np.flatnonzero(np.concatenate([[True], given[1:] != given[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(given)]]))
    place = int(lengths.argmax())
    length = int(lengths[place])
    return Run(length, int(given[starts[place]]), len(given), run_chance(given, length))


def run_chance(answers: IntArray, length: int) -> float:
    """That n answers drawn with these shares hold a run of `length` or more."""
    n = len(answers)
    share = np.unique(answers, return_counts=True)[1] / n
    expected = (((n - length) * (1 - share) + 1) * share**length).sum()
    return float(-np.expm1(-expected))


def entropy(counts: npt.ArrayLike) -> FloatArray:
    """(N,) bits of each row of counts (N, K); NaN for a row of zeros."""
    table = np.atleast_2d(np.asarray(counts, dtype=np.float64))
    total = table.sum(axis=1, keepdims=True)
    share = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    bits = -(share * logs).sum(axis=1)
    return np.asarray(np.where(total[:, 0] > 0, np.abs(bits), np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class Triads:
    """(annotators,) triads without a tie that each has judged, and how many of them are circular."""

    judged: IntArray
    circular: IntArray


def triads(
    annotator: npt.ArrayLike,
    prompt: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    lead: npt.ArrayLike,
    *,
    annotators: int,
) -> Triads:
    """Arrays (V,): who compared which two responses of which prompt; 1: the first is better, −1: the second,
    0: a tie. A pair that somebody judged twice counts as they judged it last.
    """
    who, on, one, two, said = (
        np.asarray(given, dtype=np.int64) for given in (annotator, prompt, first, second, lead)
    )
    if not who.shape == on.shape == one.shape == two.shape == said.shape or who.ndim != 1:
        raise UnusableVotesError("annotators, prompts, responses and leads must be flat and of one length")
    judged, circular = np.zeros(annotators, np.int64), np.zeros(annotators, np.int64)
    groups: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    for person, place, a, b, better in zip(*(x.tolist() for x in (who, on, one, two, said)), strict=True):
        if a == b:
            raise UnusableVotesError(f"response {a} is compared with itself")
        key, sign = ((a, b), better) if a < b else ((b, a), -better)
        groups.setdefault((person, place), {})[key] = sign
    for (person, _), signs in groups.items():
        if len(signs) >= 3:
            three, round_ = _counted(signs)
            judged[person] += three
            circular[person] += round_
    return Triads(judged, circular)


def _counted(signs: dict[tuple[int, int], int]) -> tuple[int, int]:
    """(triads without a tie, circular ones) among one person's pairs of one prompt."""
    names = sorted({name for pair in signs for name in pair})
    place = {name: number for number, name in enumerate(names)}
    beats = np.zeros((len(names), len(names)), dtype=np.int64)
    for (a, b), better in signs.items():
        if better:
            winner, loser = (a, b) if better > 0 else (b, a)
            beats[place[winner], place[loser]] = 1
    decided = beats + beats.T
    return (
        int(np.trace(decided @ decided @ decided)) // 6,
        int(np.trace(beats @ beats @ beats)) // 3,
    )

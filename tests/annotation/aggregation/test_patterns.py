"""Runs, entropy and circular triads: by hand, by brute force, and by how often chance makes them."""

import itertools

import numpy as np
import pytest
from scipy import stats

from annotation.aggregation.patterns import entropy, longest_run, run_chance, triads
from annotation.aggregation.shares import UnusableVotesError


def test_the_longest_run() -> None:
    found = longest_run([0, 0, 1, 1, 1, 2, 2, 1])
    assert found is not None
    assert (found.length, found.answer, found.answers) == (3, 1, 8)
    assert longest_run([]) is None
    assert longest_run([5]).length == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.4, 0.2, 0.4), (0.8, 0.1, 0.1)])
@pytest.mark.parametrize("length", [6, 10, 20])
def test_the_chance_of_a_run_is_how_often_it_comes_up(shares: tuple[float, ...], length: int) -> None:
    rng = np.random.default_rng(1)
    n, samples = 100, 4_000
    drawn = rng.choice(len(shares), p=shares, size=(samples, n))
    longest = [max(len(list(group)) for _, group in itertools.groupby(row)) for row in drawn.tolist()]
    often = np.mean(np.array(longest) >= length)
    fixed = np.repeat(np.arange(len(shares)), np.round(np.array(shares) * n).astype(int))
    assert run_chance(fixed, length) == pytest.approx(often, abs=0.03, rel=0.15)


def test_entropy_is_shannons() -> None:
    counts = np.array([[10, 0, 0], [5, 5, 0], [2, 3, 4], [0, 0, 0]])
    expected = [0, 1, stats.entropy([2, 3, 4], base=2)]
    assert entropy(counts)[:3] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(entropy(counts)[3])
    assert entropy([7, 7, 7, 7])[0] == pytest.approx(2)


def circle(person: int, prompt: int) -> list[tuple[int, int, int, int, int]]:
    return [(person, prompt, 1, 2, 1), (person, prompt, 2, 3, 1), (person, prompt, 1, 3, -1)]


def of(rows: list[tuple[int, int, int, int, int]], people: int = 3) -> tuple[list[int], list[int]]:
    found = triads(*np.array(rows).T, annotators=people)
    return found.judged.tolist(), found.circular.tolist()


def test_a_circle_and_an_order() -> None:
    order = [(1, 7, 1, 2, 1), (1, 7, 2, 3, 1), (1, 7, 3, 1, -1)]
    assert of([*circle(0, 7), *order]) == ([1, 1, 0], [1, 0, 0])


def test_ties_and_pairs_of_other_prompts_make_no_triad() -> None:
    tied = [(0, 7, 1, 2, 1), (0, 7, 2, 3, 0), (0, 7, 1, 3, -1)]
    apart = [(1, 7, 1, 2, 1), (1, 8, 2, 3, 1), (1, 7, 1, 3, -1)]
    assert of([*tied, *apart]) == ([0, 0, 0], [0, 0, 0])


def test_the_last_judgment_of_a_pair_counts() -> None:
    assert of([*circle(0, 7), (0, 7, 3, 1, -1)]) == ([1, 0, 0], [0, 0, 0])


def test_all_triads_of_many_responses_by_brute_force() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (person, 1, a, b, int(rng.integers(-1, 2)))
        for person in range(3)
        for a, b in itertools.combinations(range(8), 2)
        if rng.random() < 0.8
    ]
    judged, circular = [0, 0, 0], [0, 0, 0]
    for person in range(3):
        said = {(a, b): lead for who, _, a, b, lead in rows if who == person and lead}
        for a, b, c in itertools.combinations(range(8), 3):
            if {(a, b), (b, c), (a, c)} <= said.keys():
                judged[person] += 1
                circular[person] += said[a, b] == said[b, c] == -said[a, c]
    assert of(rows) == (judged, circular)
    assert sum(circular) > 0


def test_coins_make_a_quarter_of_the_triads_circular() -> None:
    rng = np.random.default_rng(3)
    rows = [
        (0, prompt, a, b, int(rng.choice([-1, 1])))
        for prompt in range(1_000)
        for a, b in itertools.combinations(range(3), 2)
    ]
    judged, circular = of(rows)
    assert judged[0] == 1_000
    assert circular[0] / 1_000 == pytest.approx(0.25, abs=0.04)


def test_bad_input_is_named() -> None:
    with pytest.raises(UnusableVotesError, match="compared with itself"):
        of([(0, 7, 1, 1, 1)])
    with pytest.raises(UnusableVotesError, match="one length"):
        triads([0], [1], [1], [2], [1, 1], annotators=1)
    with pytest.raises(UnusableVotesError, match="flat array"):
        longest_run([[1, 2]])

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from activelearning.acquisition.group_pool import OpenGroups, draw_groups, open_groups
from activelearning.acquisition.group_recipe import GroupSelection, select_groups
from activelearning.acquisition.pool import LabelledPairs, PoolError, ResponsePool, as_ids
from activelearning.acquisition.posterior import fit_posterior
from activelearning.acquisition.quotas import recipe_named
from activelearning.acquisition.wording import plain

Q = 12


def pool_of(prompts: int, responses: int, rng: np.random.Generator, features: bool = True) -> ResponsePool:
    """Of every prompt as many responses; the prompts differ much in how far apart their responses are."""
    n = prompts * responses
    scale = np.repeat(np.exp(rng.standard_normal(prompts)), responses)[:, None]
    return ResponsePool(
        as_ids([f"r{row:04d}" for row in range(n)]),
        as_ids([f"p{row // responses:03d}" for row in range(n)]),
        features=(rng.standard_normal((n, Q)) * scale).astype(np.float32) if features else None,
    )


def everything(pool: ResponsePool, **asked: list[tuple[str, ...]]) -> OpenGroups:
    return open_groups(pool.response_id, pool.prompt_id, **asked)


def chosen(
    pool: ResponsePool, n: int, size: int = 4, seed: int = 0, recipe: str = "regret", **asked: object
) -> GroupSelection:
    labelled = asked.pop("labelled", None)
    found = everything(pool, **asked)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    return select_groups(pool, found, labelled, n=n, size=size, rng=rng, recipe=recipe_named(recipe))


def pairs_of(groups: tuple[tuple[str, ...], ...]) -> Counter[frozenset[str]]:
    return Counter(frozenset(pair) for group in groups for pair in combinations(group, 2))


# --- what is open ----------------------------------------------------------------------------------


def test_what_waits_stays_together_and_what_was_asked_is_free_no_more() -> None:
    pool = pool_of(3, 4, np.random.default_rng(0), features=False)
    ids = pool.response_id.tolist()
    found = everything(pool, waiting=[tuple(ids[:4])], taken=[(ids[4], ids[5]), tuple(ids[8:12])])
    assert [rows.tolist() for rows in found.waiting] == [[0, 1, 2, 3]]
    assert [rows.tolist() for rows in found.free] == [[4, 5, 6, 7]]  # four and five with others yet
    first, second = found.pairs()
    assert {(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True)} == {
        *combinations(range(4), 2), (4, 6), (4, 7), (5, 6), (5, 7), (6, 7)
    }  # fmt: skip
    assert len(found) == 2
    after = found.asked([np.array([0, 1, 2, 3]), np.array([4, 5, 6])])
    assert after.waiting == ()
    assert [rows.tolist() for rows in after.free] == [[4, 5, 6, 7]]  # 7 with each of the others
    assert len(after.asked([np.array([4, 5, 6, 7])])) == 0


def test_a_prompt_with_one_response_gives_no_group() -> None:
    pool = ResponsePool(
        as_ids(["a", "b", "c"]), as_ids(["p", "q", "q"]), features=np.eye(3, dtype=np.float32)
    )
    for recipe in ("regret", "random"):
        assert set(chosen(pool, 5, recipe=recipe).groups) == {("b", "c")}
    nothing = chosen(ResponsePool(as_ids(["a"]), as_ids(["p"])), 5)
    assert nothing.groups == ()
    assert plain(nothing.selection.notes) == "There is no open group of responses to choose from."


def test_what_is_no_group_is_refused() -> None:
    pool = pool_of(2, 3, np.random.default_rng(0))
    with pytest.raises(PoolError, match="different prompts"):
        everything(pool, waiting=[("r0000", "r0003")])
    with pytest.raises(PoolError, match="at least two"):
        draw_groups(everything(pool), 1, 1, np.random.default_rng(0))


# --- chance ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_chance_that_is_written_down_is_that_of_the_group() -> None:
    """One prompt of five responses, two of their pairs asked about; another whose group waits."""
    pool = ResponsePool(as_ids(list("abcdexyz")), as_ids(list("pppppqqq")))
    found = everything(pool, waiting=[tuple("xyz")], taken=[tuple("ab"), tuple("cd")])
    rng, times = np.random.default_rng(1), 4_000
    counted: Counter[tuple[int, ...]] = Counter()
    chance: dict[tuple[int, ...], float] = {}
    for _ in range(times):
        (one,) = draw_groups(found, 1, 3, rng)
        counted[tuple(one.rows.tolist())] += 1
        chance[tuple(one.rows.tolist())] = one.chance
    assert chance[5, 6, 7] == 0.5
    assert sum(chance.values()) == pytest.approx(1.0)
    for rows, expected in chance.items():
        assert counted[rows] / times == pytest.approx(expected, abs=0.03)
    assert len(set(chance.values())) > 2  # a group with an asked pair comes less often


def test_without_features_all_is_drawn_and_no_group_twice() -> None:
    pool = pool_of(6, 4, np.random.default_rng(0), features=False)
    found = chosen(pool, 50, size=3)
    assert len(set(found.groups)) == len(found.groups) > 6
    assert set(pairs_of(found.groups)) == {
        frozenset(pair)
        for start in range(0, 24, 4)
        for pair in combinations(pool.response_id[start : start + 4].tolist(), 2)
    }
    assert {pair.reason for pair in found.selection.pairs} == {"random"}
    assert all(0 < (pair.propensity or 0) <= 1 for pair in found.selection.pairs)
    assert f"Only {len(found.groups)} open groups, 50 were asked for." in plain(found.selection.notes)


# --- choice ----------------------------------------------------------------------------------------


def labels_of(pool: ResponsePool, theta: np.ndarray, groups: list[np.ndarray]) -> LabelledPairs:
    """One ranking of each group, by the true rewards and a noise that is the group's own (Plackett-Luce)."""
    assert pool.features is not None
    rows = [pair for group in groups for pair in combinations(group.tolist(), 2)]
    first, second = (np.array([row[side] for row in rows]) for side in (0, 1))
    said = pool.features @ theta
    for group in groups:
        said[group] += np.random.default_rng(group).gumbel(size=len(group))
    share = (said[first] > said[second]).astype(float)
    shares = np.stack([share, 0 * share, 1 - share], axis=1)
    weight = np.concatenate([np.full(len(g) * (len(g) - 1) // 2, 2.0 / len(g)) for g in groups])
    none = np.zeros(len(rows), dtype=np.bool_)
    return LabelledPairs(pool.response_id[first], pool.response_id[second], shares, weight, none)


def test_a_batch_follows_the_recipe_and_repeats_itself() -> None:
    rng = np.random.default_rng(3)
    pool = pool_of(30, 6, rng)
    labels = labels_of(pool, rng.standard_normal(Q), [np.arange(4), np.arange(6, 10)])
    taken = [tuple(pool.response_id[:4]), tuple(pool.response_id[6:10])]
    found = chosen(pool, 20, labelled=labels, taken=taken)
    again = chosen(pool, 20, labelled=labels, taken=taken)
    assert found == again
    assert found.selection.quotas == {"regret": 18, "random": 2}
    assert [pair.rank for pair in found.selection.pairs] == list(range(1, 21))
    for pair, group in zip(found.selection.pairs, found.groups, strict=True):
        assert {pair.response_a, pair.response_b} <= set(group)
        assert len(group) == 4
        assert len({int(one[1:]) // 6 for one in group}) == 1
        assert (pair.propensity is None) == (pair.reason == "regret")
        assert plain(pair.explanation).startswith(
            "Of these 4" if pair.reason == "regret" else "Drawn at random"
        )
    asked = {frozenset(pair) for group in taken for pair in combinations(group, 2)}
    assert all(set(pairs_of((group,))) - asked for group in found.groups)
    assert len(set(found.groups)) == 20


def test_what_was_asked_counts_nothing_although_no_answer_came_yet() -> None:
    pool = pool_of(8, 4, np.random.default_rng(4))
    first = chosen(pool, 1, seed=5)
    second = chosen(pool, 1, seed=5, taken=[first.groups[0]])
    assert first.groups[0] != second.groups[0]


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [("i-optimal", "i_optimal"), ("d-optimal", "d_optimal"), ("textbook", "regret"), ("random", "random")],
)
def test_every_recipe_chooses_groups(recipe: str, reason: str) -> None:
    rng = np.random.default_rng(6)
    pool = pool_of(20, 4, rng)
    labels = labels_of(pool, rng.standard_normal(Q), [np.arange(4)])
    found = chosen(pool, 10, recipe=recipe, labelled=labels, taken=[tuple(pool.response_id[:4])])
    counts = Counter(pair.reason for pair in found.selection.pairs)
    assert counts.most_common(1)[0][0] == reason
    assert sum(counts.values()) == 10
    assert ("groups are chosen" in plain(found.selection.notes)) == (recipe == "textbook")


@pytest.mark.slow
def test_groups_that_tell_most_teach_more_than_groups_by_chance() -> None:
    """Accuracy on all pairs of all prompts after four batches of six rankings, over eight small worlds."""
    gains = []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        pool = pool_of(60, 6, rng)
        theta = 2 * rng.standard_normal(Q) / np.sqrt(Q)
        gains.append(accuracy(pool, theta, "regret", seed) - accuracy(pool, theta, "random", seed))
    assert np.mean(gains) > 0.02
    assert sum(gain > 0 for gain in gains) >= 6


def accuracy(pool: ResponsePool, theta: np.ndarray, recipe: str, seed: int) -> float:
    assert pool.features is not None
    groups: list[np.ndarray] = []
    labels = None
    for turn in range(4):
        taken = [tuple(pool.response_id[group]) for group in groups]
        found = chosen(pool, 6, size=3, seed=10 * seed + turn, recipe=recipe, labelled=labels, taken=taken)
        groups += [np.flatnonzero(np.isin(pool.response_id, group)) for group in found.groups]
        labels = labels_of(pool, theta, groups)
    assert labels is not None
    place = {one: row for row, one in enumerate(pool.response_id)}
    x = pool.features[[place[a] for a in labels.response_a]] - pool.features[
        [place[b] for b in labels.response_b]
    ]  # fmt: skip
    model = fit_posterior(x.astype(float), labels.shares[:, 0], labels.votes, prior_precision=0.1).mean
    d = np.concatenate(
        [
            pool.features[a::6] - pool.features[b::6]  # every prompt's a-th response less its b-th
            for a, b in combinations(range(6), 2)
        ]
    )
    return float(np.mean(((d @ model) > 0) == ((d @ theta) > 0)))

from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition.design import GreedyDesign, greedy_batch
from activelearning.acquisition.groups import choose_groups, form_groups, group_pairs, pair_weights
from activelearning.acquisition.knowledge import Knowledge, Labels, outlook
from activelearning.acquisition.pool import PoolError, pair_keys
from activelearning.acquisition.posterior import Posterior

Q = 4


def knowledge(n: int = 40, seed: int = 0) -> Knowledge:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((Q, Q))
    posterior = Posterior(rng.standard_normal(Q) * 0.3, root @ root.T / Q + 0.1 * np.eye(Q), 1.0)
    z = rng.standard_normal((n, Q)).astype(np.float32)
    return Knowledge(z, np.arange(n) // 4, Labels.none(), posterior)


def test_groups_of_two_are_the_greedy_pairs() -> None:
    known = knowledge()
    groups = [np.array([2 * i, 2 * i + 1]) for i in range(20)]
    found = choose_groups(known, groups, 8)
    first, second = np.arange(0, 40, 2), np.arange(1, 40, 2)
    v = outlook(known, first, second).information
    picks, gains = greedy_batch(GreedyDesign(known.z, first, second, v, known.posterior.covariance), 8)
    assert found.groups.tolist() == picks.tolist()
    np.testing.assert_allclose(found.gains, gains, rtol=1e-6)


def test_a_group_s_gain_is_that_of_its_weighed_pairs_under_the_batch_so_far() -> None:
    known = knowledge()
    groups = [np.arange(4 * i, 4 * i + 4) for i in range(10)]
    found = choose_groups(known, groups, 10)
    precision = np.linalg.inv(known.posterior.covariance)
    for turn, group in enumerate(found.groups):
        sigma = np.linalg.inv(precision)
        first, second, _, weight = group_pairs([groups[group]])
        v = outlook(known, first, second).information * weight
        x = (known.z[first] - known.z[second]).astype(float)
        each = np.log1p(v * np.einsum("ij,jk,ik->i", x, sigma, x))
        assert found.gains[turn] == pytest.approx(each.sum(), rel=1e-3)
        top = int(np.argmax(each))
        assert found.decisive[turn] == (first[top], second[top])
        precision = precision + (x.T * v) @ x


def test_a_copy_of_a_group_has_lost_most_of_its_worth() -> None:
    known = knowledge()
    z = known.z.copy()
    z[:4] *= 3
    z[4:8] = z[:4]
    known = Knowledge(z, known.prompt, known.labels, known.posterior)
    found = choose_groups(known, [np.arange(4 * i, 4 * i + 4) for i in range(10)], 10)
    assert found.groups[0] == 0
    alone = choose_groups(known, [np.arange(4, 8)], 1)
    assert alone.gains[0] == pytest.approx(found.gains[0])
    assert found.gains[found.groups.tolist().index(1)] < 0.3 * alone.gains[0]


def test_a_target_decides_what_tells_most() -> None:
    known = knowledge()
    groups = [np.arange(4 * i, 4 * i + 4) for i in range(10)]
    aim = np.zeros((Q, Q))
    aim[2, 2] = 1.0
    aimed = choose_groups(known, groups, 3, target=aim)
    spread = known.posterior.covariance @ aim @ known.posterior.covariance
    assert aimed.gains[0] == pytest.approx(max(_gain(known, group, spread) for group in groups), rel=1e-3)


def _gain(known: Knowledge, group: np.ndarray, spread: np.ndarray) -> float:
    first, second, _, weight = group_pairs([group])
    view = outlook(known, first, second)
    x = (known.z[first] - known.z[second]).astype(float)
    v = view.information * weight
    return float((v * np.einsum("ij,jk,ik->i", x, spread, x) / (1 + v * view.variance)).sum())


def test_formed_groups_hold_the_most_telling_pair_and_what_adds_most() -> None:
    known = knowledge()
    prompts = [np.arange(8 * i, 8 * i + 8) for i in range(5)]
    formed = form_groups(known, [*prompts, np.array([3])], 3)
    assert [len(group) for group in formed] == [3] * 5
    for rows, group in zip(prompts, formed, strict=True):
        assert set(group.tolist()) <= set(rows.tolist())
        first, second, _, _ = group_pairs([rows])
        view = outlook(known, first, second)
        gain = np.log1p(view.information * view.variance)
        best = int(np.argmax(gain))
        assert {int(first[best]), int(second[best])} <= set(group.tolist())
    assert [len(group) for group in form_groups(known, prompts, 20)] == [8] * 5


def test_what_is_no_group_is_refused() -> None:
    with pytest.raises(PoolError, match="Group 1"):
        group_pairs([np.array([0, 1]), np.array([2])])
    with pytest.raises(PoolError, match="each once"):
        group_pairs([np.array([0, 1, 0])])
    with pytest.raises(PoolError, match="at least two"):
        form_groups(knowledge(), [np.arange(4)], 1)
    assert choose_groups(knowledge(), [], 5).groups.tolist() == []


def test_a_pair_of_a_labelled_group_of_k_has_two_kths_of_a_vote() -> None:
    items = [7] * 6 + [3] + [9] * 3
    assert pair_weights(items) == pytest.approx([0.5] * 6 + [1.0] + [2 / 3] * 3)
    assert len(pair_weights([])) == 0


def test_a_closed_pair_counts_nothing_and_alone_gives_no_group() -> None:
    known = knowledge()
    prompts = [np.arange(4 * i, 4 * i + 4) for i in range(10)]
    first, second, _, _ = group_pairs(prompts[:1])
    closed = pair_keys(first, second, len(known.z))
    assert len(form_groups(known, prompts, 3, closed=closed)) == 9
    (pair,) = form_groups(known, prompts[:1], 3, closed=closed[:5])  # the last one is open
    assert pair.tolist() == [2, 3]
    found = choose_groups(known, prompts, 10, closed=closed)
    assert found.groups[-1] == 0
    assert found.gains[-1] == found.at_first[0] == 0.0
    assert found.information[-1] > 0


def test_what_is_asked_in_any_case_is_learned_of_first() -> None:
    known = knowledge()
    prompts = [np.arange(4 * i, 4 * i + 4) for i in range(10)]
    first = choose_groups(known, prompts, 2)
    rest = [rows for i, rows in enumerate(prompts) if i != first.groups[0]]
    after = choose_groups(known, rest, 1, asked=[prompts[first.groups[0]]])
    assert rest[after.groups[0]].tolist() == prompts[first.groups[1]].tolist()
    assert after.gains[0] == pytest.approx(first.gains[1], rel=1e-4)


def test_where_prompts_differ_the_same_group_tells_more_on_another_prompt() -> None:
    known = knowledge()
    z = known.z.copy()
    z[2:4] = z[4:6] = z[:2]
    plain = Knowledge(z, known.prompt, known.labels, known.posterior)
    asked, same, other = (np.array([row, row + 1]) for row in (0, 2, 4))  # 0 to 3 are of one prompt
    for one in (plain, plain.told_by_prompts(0.5)):
        gain = [choose_groups(one, [group], 1, asked=[asked]).gains[0] for group in (same, other)]
        if one is plain:
            assert gain[0] == pytest.approx(gain[1])
        else:
            assert gain[0] < 0.95 * gain[1]

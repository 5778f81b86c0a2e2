"""Ratings of the models that wrote the responses: hand-computed cases, references, oracles, invariance."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from rewardmodel.evaluation import leaderboard, model_ratings, style
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.evaluation.model_ratings import ELO, Games
from tests.annotation.agreement.shared_data import shared_file

WEAK = 1e-6  # so weak a prior that maximum likelihood is met to five digits


def games(rows, models, weight=None, shown=None):
    """rows: (first, second, wins, losses, ties), each of a prompt of its own."""
    table = np.array(rows, dtype=np.float64)
    votes = table[:, 2:].sum(axis=1)
    return Games(
        table[:, 0].astype(int),
        table[:, 1].astype(int),
        table[:, 2:] / votes[:, None],
        votes if weight is None else weight,
        np.arange(len(table)),
        np.zeros((len(table), 0)) if shown is None else shown,
        models,
    )


def world(seed, *, prompts=300, per_prompt=3, models=6, gamma=(), tau=-0.7, votes=3, shared=0.0):
    """Games of models with known θ; `shared`: a lead that all pairs of a prompt have in common."""
    rng = np.random.default_rng(seed)
    theta = np.linspace(1, -1, models)
    m = prompts * per_prompt
    prompt = np.repeat(np.arange(prompts), per_prompt)
    first = rng.integers(models, size=m)
    second = (first + 1 + rng.integers(models - 1, size=m)) % models
    shown = rng.normal(size=(m, len(gamma)))
    lean = shared * rng.normal(size=(prompts, models))
    lead = lean[prompt, first] - lean[prompt, second]
    d = theta[first] - theta[second] + shown @ np.array(gamma, dtype=float).reshape(-1) + lead
    counts = rng.multinomial(votes, np.exp(log_probabilities(d, 1.0, tau)))
    made = Games(first, second, counts / votes, np.full(m, float(votes)), prompt, shown, models)
    return theta, made


def board(made, *, seed=0, **options):
    names = [f"model {i}" for i in range(made.models)]
    return leaderboard.leaderboard(names, made, rng=np.random.default_rng(seed), **options)


def by_name(found):
    return {one.model: one for one in found.rated}


# --- by hand --------------------------------------------------------------------------------------


def test_two_models_without_ties_are_as_far_apart_as_their_odds():
    found = model_ratings.fit(games([(0, 1, 6, 2, 0)], 2), WEAK)
    assert found.theta[0] - found.theta[1] == pytest.approx(math.log(3), abs=1e-5)
    assert found.tau == -math.inf


def test_two_models_with_ties_are_davidsons():
    """Three outcomes and two parameters are matched exactly: d = ln(6/2), τ = ln(4/6) + d/2."""
    found = model_ratings.fit(games([(0, 1, 6, 2, 4)], 2), WEAK)
    assert found.theta[0] - found.theta[1] == pytest.approx(math.log(3), abs=1e-5)
    assert found.tau == pytest.approx(math.log(4 / 6) + math.log(3) / 2, abs=1e-5)


def test_three_models_that_fit_exactly():
    """2:1, 2:1 and 4:1 are steps of ln 2; ten to one is 400 points."""
    found = board(games([(0, 1, 2, 1, 0), (1, 2, 20, 10, 0), (2, 0, 1, 4, 0)], 3), prior=WEAK)
    ratings = [by_name(found)[f"model {i}"].rating for i in range(3)]
    assert ratings == pytest.approx([1000 + ELO * math.log(2), 1000, 1000 - ELO * math.log(2)], abs=1e-2)
    assert pytest.approx(400) == ELO * math.log(10)
    assert [one.rank for one in found.rated] == [1, 2, 3]
    assert found.expected[0, 1] == pytest.approx(2 / 3, abs=1e-5)
    assert found.rated[0].field == pytest.approx((2 / 3 + 4 / 5) / 2, abs=1e-5)
    assert (found.met[0, 1], found.scored[0, 1]) == (3, 2)


def test_the_standard_error_of_single_votes_is_that_of_the_log_odds():
    """40 votes, each of a prompt of its own, 30 of them for the first: var d = 1/(n p q), G/(G - 1)."""
    made = games([(0, 1, 1, 0, 0)] * 30 + [(0, 1, 0, 1, 0)] * 10, 2)
    found = board(made, prior=WEAK, reference="model 1")
    expected = ELO * math.sqrt(1 / (40 * 0.75 * 0.25) * 40 / 39)
    assert by_name(found)["model 0"].error == pytest.approx(expected, rel=1e-4)
    assert by_name(found)["model 1"].error == 0
    assert by_name(found)["model 1"].rating == 1000


def test_citations_among_journals_of_statistics():
    known = json.loads(shared_file("agreement/reference_values.json").read_text())["bradley_terry_citations"]
    cited = np.array(known["matrix"])
    rows = [(i, j, cited[i, j], cited[j, i], 0) for i in range(4) for j in range(i + 1, 4)]
    found = model_ratings.fit(games(rows, 4), WEAK)
    for place, name in enumerate(known["names"][1:], start=1):
        ability = found.theta[place] - found.theta[0]
        assert ability == pytest.approx(known["expected_vs_Biometrika"][name][0], abs=1e-4)


# --- an independent library -----------------------------------------------------------------------


def test_without_ties_it_is_logistic_regression_with_a_ridge():
    _, made = world(1, gamma=(0.4, -0.2), tau=-40, prompts=60)
    made = replace(made, shares=np.delete(made.shares, 2, 1) @ np.eye(2, 3))
    found = model_ratings.fit(made, 0.5)
    design = np.zeros((len(made.first), made.models))
    rows = np.arange(len(design))
    design[rows, made.first], design[rows, made.second] = 1, -1
    design = np.hstack([design, made.style])
    won = np.repeat([1, 0], len(design))
    weight = (made.shares[:, :2] * made.weight[:, None]).T.ravel()
    oracle = LogisticRegression(C=1 / 0.5, fit_intercept=False, tol=1e-10, max_iter=10_000)
    oracle.fit(np.vstack([design, design]), won, sample_weight=weight)
    assert np.concatenate([found.theta, found.gamma]) == pytest.approx(oracle.coef_[0], abs=1e-5)


def test_the_curvature_is_the_derivative_of_the_gradient():
    _, made = world(2, gamma=(0.3,), prompts=20)
    beta = np.random.default_rng(0).normal(size=made.models + 2)

    def gradient(at):
        return model_ratings.gradient(made, model_ratings.slopes(made, at), at, 0.1)

    step = 1e-5
    by_hand = [
        (gradient(beta - step * e) - gradient(beta + step * e)) / (2 * step) for e in np.eye(len(beta))
    ]
    found = model_ratings.curvature(made, model_ratings.slopes(made, beta), 0.1)
    assert found == pytest.approx(np.array(by_hand), abs=1e-5)


# --- invariance -----------------------------------------------------------------------------------


def test_which_response_is_called_a_does_not_matter():
    _, made = world(3, gamma=(0.5, 0.1))
    swapped = Games(
        made.second, made.first, made.shares[:, [1, 0, 2]], made.weight, made.prompt, -made.style, made.models
    )
    one, other = board(made), board(swapped)
    for mine, theirs in zip(one.rated, other.rated, strict=True):
        assert mine.rating == pytest.approx(theirs.rating, abs=1e-6)
        assert mine.error == pytest.approx(theirs.error, abs=1e-6)
        assert (mine.low, mine.rank_low) == (pytest.approx(theirs.low, abs=1e-6), theirs.rank_low)


def test_the_numbering_of_models_and_the_order_of_pairs_do_not_matter():
    _, made = world(4)
    rng = np.random.default_rng(0)
    number, order = rng.permutation(made.models), rng.permutation(len(made.first))
    moved = Games(
        number[made.first][order],
        number[made.second][order],
        made.shares[order],
        made.weight[order],
        made.prompt[order],
        made.style[order],
        made.models,
    )
    one, other = model_ratings.fit(made), model_ratings.fit(moved)
    assert other.theta[number] == pytest.approx(one.theta, abs=1e-8)
    names = [""] * made.models
    for i, at in enumerate(number):
        names[at] = f"model {i}"
    again = leaderboard.leaderboard(names, moved, rng=np.random.default_rng(0))
    errors = {one.model: one.error for one in board(made).rated}
    assert {one.model: one.error for one in again.rated} == pytest.approx(errors)


def test_votes_may_come_one_by_one_or_together():
    together = games([(0, 1, 6, 2, 4), (1, 2, 3, 3, 0)], 3)
    single = [(0, 1, 1, 0, 0)] * 6 + [(0, 1, 0, 1, 0)] * 2 + [(0, 1, 0, 0, 1)] * 4
    single += [(1, 2, 1, 0, 0), (1, 2, 0, 1, 0)] * 3
    assert model_ratings.fit(games(single, 3)).theta == pytest.approx(model_ratings.fit(together).theta)


# --- what cannot be known -------------------------------------------------------------------------


def test_an_undefeated_model_stays_finite_and_says_so():
    found = board(games([(0, 1, 9, 0, 0), (1, 2, 5, 4, 0), (2, 1, 4, 5, 0)], 3))
    best = found.rated[0]
    assert best.model == "model 0"
    assert 1000 < best.rating < 3000
    assert not best.bounded
    assert [one.bounded for one in found.rated[1:]] == [True, True]


def test_models_that_never_met_stand_in_groups_of_their_own():
    found = board(games([(0, 1, 3, 1, 0), (2, 3, 1, 2, 1), (3, 4, 2, 2, 0)], 5))
    assert found.groups == 2
    groups = {one.model: one.group for one in found.rated}
    assert groups == {"model 2": 0, "model 3": 0, "model 4": 0, "model 0": 1, "model 1": 1}
    for group in (0, 1):
        inside = [one.rating for one in found.rated if one.group == group]
        assert np.mean(inside) == pytest.approx(1000)
        assert next(one.rank for one in found.rated if one.group == group) == 1


def test_ranks_of_models_that_cannot_be_told_apart_overlap():
    found = board(games([(0, 1, 1, 0, 0), (0, 1, 0, 1, 0)] * 20, 2))
    assert [(one.rank_low, one.rank_high) for one in found.rated] == [(1, 2), (1, 2)]


# --- recovery -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_style_is_no_merit_once_it_is_controlled():
    """Model 0 is as good as model 1 but always one standard deviation longer, and length wins votes."""
    rng = np.random.default_rng(5)
    m = 6000
    longer = np.where(rng.random(m) < 0.8, 1.0, -1.0)
    d = 0.8 * longer
    counts = rng.multinomial(1, np.exp(log_probabilities(d, 1.0, -1.0)))
    made = Games(
        np.zeros(m, int), np.ones(m, int), counts.astype(float), np.ones(m), np.arange(m), longer[:, None], 2
    )
    raw = board(replace(made, style=np.zeros((m, 0))))
    controlled = board(made)
    assert raw.rated[0].model == "model 0"
    assert raw.rated[0].low > 1020
    assert by_name(controlled)["model 0"].low < 1000 < by_name(controlled)["model 0"].high
    assert controlled.coefficients[0].low < 0.8 < controlled.coefficients[0].high


@pytest.mark.slow
def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """60 worlds in which the pairs of a prompt go together: both intervals cover, the naive one would not."""
    inside = {"bootstrap": [], "sandwich": [], "naive": []}
    for seed in range(60):
        theta, made = world(seed, prompts=60, per_prompt=8, models=4, shared=1.0, votes=5)
        # A lead that varies flattens the odds (as in a probit mixture): the truth is what many votes give.
        _, many = world(10_000, prompts=20_000, per_prompt=2, models=4, shared=1.0, votes=5)
        truth = _truth(many)
        lonely = replace(made, prompt=np.arange(len(made.first)))
        found, naive = by_name(board(made)), by_name(board(lonely))
        for i in range(len(theta)):
            one, other, at = found[f"model {i}"], naive[f"model {i}"], truth[i]
            inside["bootstrap"].append(one.low <= at <= one.high)
            inside["sandwich"].append(abs(one.rating - at) <= 1.96 * one.error)
            inside["naive"].append(abs(other.rating - at) <= 1.96 * other.error)
    cover = {name: np.mean(hits) for name, hits in inside.items()}
    assert cover["bootstrap"] > 0.89
    assert cover["sandwich"] > 0.89
    assert cover["naive"] < cover["sandwich"] - 0.05


_KEPT: list[np.ndarray] = []


def _truth(many):
    if not _KEPT:
        _KEPT.append(1000 + ELO * model_ratings.fit(many).theta)
    return _KEPT[0]


# --- style ----------------------------------------------------------------------------------------


def test_what_counts_as_style():
    text = "# One\n\nSome **bold** and __strong__.\n- item\n  * item\n1. item\n2) item\n#hashtag 3. no\n"
    assert style.features(text)[1:] == (1, 4, 2, 0)
    assert style.features("```py\n# comment\n- no\n```\n## Yes\n```")[1:] == (1, 0, 0, 2)
    assert style.features("")[:2] == (0, 0)
    assert style.features("x" * 99)[0] == pytest.approx(math.log(100))


def test_differences_in_style_are_relative_standardised_and_turn_with_the_sides():
    first = style.table(["# a\n# b\n# c\n" + "x" * 50, "plain", "- one\n"])
    second = style.table(["# a\n" + "x" * 20, "also plain", "text"])
    forth, back = style.differences(first, second), style.differences(second, first)
    assert forth == pytest.approx(-back)
    assert (forth**2).mean(axis=0)[[0, 1, 2]] == pytest.approx([1, 1, 1])
    assert not forth[:, 3:].any()
    assert forth[0, 1] == pytest.approx(0.5 / math.sqrt(0.25 / 3))
    assert style.differences(np.zeros((0, 5)), np.zeros((0, 5))).shape == (0, 5)

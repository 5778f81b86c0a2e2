"""The method that foresees votes best wins; where nothing can be learned of the people, shares stay."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from annotation.aggregation import comparing
from annotation.aggregation.comparing import METHODS, compared, shares, shrinkage
from annotation.aggregation.shares import UnusableVotesError
from annotation.aggregation.votes import votes_of
from tests.annotation.aggregation.voting import simulated


def test_weighing_people_pays_where_they_differ() -> None:
    found = compared(simulated(1).votes, rng=np.random.default_rng(0), draws=300)
    scores = found.scores
    assert list(scores) == ["vote-shares", "competence", "dawid-skene"]
    assert scores["vote-shares"].gain == 0
    for name in ("dawid-skene", "competence"):
        assert scores[name].low is not None
        assert 0 < scores[name].low < scores[name].gain < scores[name].high  # type: ignore[operator]
    assert found.best == "competence"


def test_where_two_are_level_the_simpler_one_is_taken() -> None:
    def even(learn, ahead):  # type: ignore[no-untyped-def]
        return np.full((len(ahead), 3), 1 / 3)

    def hardly_better(learn, ahead):  # type: ignore[no-untyped-def]
        chances = even(learn, ahead)
        chances[:30, :] = 0.0
        chances[np.arange(30), ahead.outcome[:30]] = 0.36
        chances[30:60, :] = 0.0
        chances[np.arange(30, 60), ahead.outcome[30:60]] = 0.312
        return chances

    votes = simulated(1).votes
    methods = {"even": even, "hardly better": hardly_better}
    found = compared(votes, rng=np.random.default_rng(0), methods=methods, draws=300)
    assert found.scores["hardly better"].gain > 0
    assert found.best == "even"


def test_shares_stay_where_everybody_is_the_same_coin() -> None:
    """Taste alone: each pair has its own chances and nobody knows better."""
    rng = np.random.default_rng(2)
    chances = rng.dirichlet([0.7, 0.4, 0.7], 600)
    pair = np.repeat(np.arange(600), 5)
    who = np.concatenate([rng.permutation(60)[:5] for _ in range(600)])
    outcome = (rng.random(len(pair))[:, None] > np.cumsum(chances[pair], axis=1)).sum(axis=1).clip(0, 2)
    votes = votes_of(pair, who, outcome, pairs=600, annotators=60)
    assert compared(votes, rng=rng, draws=300).best == "vote-shares"


def test_the_score_is_the_mean_log_chance_of_what_was_said() -> None:
    """A method that always gives the same chances is worth their mean logarithm."""
    votes = simulated(3, annotators=20).votes
    flat = np.array([0.5, 0.2, 0.3])
    scores = compared(
        votes,
        rng=np.random.default_rng(0),
        methods={"flat": lambda learn, ahead: np.tile(flat, (len(ahead), 1))},
        draws=50,
    ).scores
    assert scores["flat"].log_likelihood == pytest.approx(np.log(flat)[votes.outcome].mean())
    assert scores["flat"].votes == len(votes)


def test_no_method_sees_the_votes_it_foresees() -> None:
    """One that would answer with the held-out votes of each pair finds none of them in what it may learn."""
    votes = simulated(4, annotators=20).votes

    def spy(learn, ahead):  # type: ignore[no-untyped-def]
        seen = set(zip(learn.pair.tolist(), learn.annotator.tolist(), strict=True))
        assert not seen & set(zip(ahead.pair.tolist(), ahead.annotator.tolist(), strict=True))
        assert len(learn) + len(ahead) == len(votes)
        return np.full((len(ahead), 3), 1 / 3)

    compared(votes, rng=np.random.default_rng(0), methods={"spy": spy}, draws=10)


def test_votes_of_weight_zero_are_left_out() -> None:
    votes = simulated(5, annotators=30).votes
    out = votes.annotator < 5
    weighed = compared(votes.reweighted(np.where(out, 0.0, 1.0)), rng=np.random.default_rng(0), draws=20)
    without = compared(votes.taken(~out), rng=np.random.default_rng(0), draws=20)
    assert weighed == without


def test_the_interval_is_wider_over_pairs_than_over_votes() -> None:
    """Each vote copied five times: the same evidence, so the same interval, not one √5 as narrow."""
    votes = simulated(6, annotators=40).votes
    copies = [
        votes_of(votes.pair, votes.annotator + 40 * n, votes.outcome, pairs=votes.pairs, annotators=200)
        for n in range(5)
    ]
    many = votes_of(
        np.concatenate([one.pair for one in copies]),
        np.concatenate([one.annotator for one in copies]),
        np.concatenate([one.outcome for one in copies]),
        pairs=votes.pairs,
        annotators=200,
    )
    flat = {
        "even": lambda learn, ahead: np.full((len(ahead), 3), 1 / 3),
        "project": lambda learn, ahead: np.tile([0.45, 0.1, 0.45], (len(ahead), 1)),
    }
    width = []
    for of in (votes, many):
        score = compared(of, rng=np.random.default_rng(1), methods=flat, draws=2000).scores["project"]
        assert score.low is not None
        assert score.high is not None
        width.append(score.high - score.low)
    assert width[1] == pytest.approx(width[0], rel=0.15)


def test_the_shrinkage_of_shares_is_the_likeliest() -> None:
    rng = np.random.default_rng(7)
    even = np.array([0.4, 0.2, 0.4])
    counts = np.array([rng.multinomial(5, rng.dirichlet(3 * even)) for _ in range(4_000)]).astype(float)

    def against(log_s: float) -> float:
        s, n = np.exp(log_s), counts.sum(axis=1)
        inside = gammaln(counts + s * even) - gammaln(s * even)
        return -float((gammaln(s) - gammaln(n + s) + inside.sum(axis=1)).sum())

    likeliest = float(np.exp(minimize_scalar(against, bounds=(-3, 6), method="bounded").x))
    assert shrinkage(counts, even) == pytest.approx(likeliest, rel=0.01)
    assert shrinkage(counts, even) == pytest.approx(3, rel=0.15)


def test_shares_of_a_pair_nobody_else_judged_are_the_projects() -> None:
    learn = votes_of([0, 0, 1], [0, 1, 0], [0, 0, 2], pairs=3, annotators=2)
    ahead = votes_of([2], [1], [0], pairs=3, annotators=2)
    assert shares(learn, ahead)[0] == pytest.approx(np.array([2.5, 0, 1.5]) / 4)


def test_too_few_votes_are_named() -> None:
    votes = votes_of([0, 1], [0, 0], [0, 2], pairs=2, annotators=1)
    with pytest.raises(UnusableVotesError, match="2 votes cannot be dealt into 5 folds"):
        compared(votes, rng=np.random.default_rng(0), methods=METHODS)


@pytest.mark.slow
def test_many_pairs_are_drawn_in_groups_and_the_interval_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = simulated(4).votes
    alone = compared(votes, rng=np.random.default_rng(0)).scores["competence"]
    drawn: list[int] = []

    class Watched:
        """A generator that notes how many weights it is asked for."""

        def __init__(self) -> None:
            self.of = np.random.default_rng(0)
            self.permutation = self.of.permutation

        def poisson(self, mean: float, size: tuple[int, int]) -> object:
            drawn.append(size[1])
            return self.of.poisson(mean, size)

    groups = votes.pairs // 3
    monkeypatch.setattr(comparing, "MOST_GROUPS", groups)
    grouped = compared(votes, rng=Watched()).scores["competence"]  # type: ignore[arg-type]
    assert set(drawn) == {groups}
    assert grouped.gain == pytest.approx(alone.gain)
    assert alone.low is not None
    assert alone.high is not None
    width = alone.high - alone.low
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high), abs=0.15 * width)

"""Simulated annotators rank and rate as well as they choose, under every criterion."""

import numpy as np
import pytest
from django.db.models import Count

from annotation.aggregation.simulated import draw_profile
from annotation.aggregation.simulated_orders import ranking, rating, strength
from annotation.models.project import Project
from annotation.models.work import Answer, Judgment
from annotation.services import simulating, slots
from tests import factories
from tests.annotation.import_rows import bring, row

CRITERIA = [{"name": name, "description": ""} for name in ("helpfulness", "honesty")]


def project_of(kind: str, responses: int, items: int = 12, **fields: object) -> Project:
    """Each line's responses get better from first to last: quality −2 … 2."""
    project = factories.project(kind=kind, overlap=8, criteria=CRITERIA, **fields)
    qualities = np.linspace(-2, 2, responses) if responses > 1 else [1.0]
    lines = [
        row(number, responses=[
            {"id": f"r{number}-{place}", "text": f"Answer {place}.", "metadata": {"quality": float(quality)}}
            for place, quality in enumerate(qualities)
        ])
        for number in range(items)
    ]  # fmt: skip
    assert bring(project, *lines).applied
    return project


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "responses", "fields"),
    [
        pytest.param("ranking", 4, {}, marks=pytest.mark.slow),
        ("ranking", 3, {"ties": False}),
        pytest.param("rating", 3, {"rating_points": 7}, marks=pytest.mark.slow),
        ("rating", 1, {}),
        pytest.param("pairwise", 2, {"strength_scale": True}, marks=pytest.mark.slow),
        ("pairwise", 2, {"ties": False, "both_bad": False}),
    ],
)
def test_all_kinds_are_simulated_under_every_criterion(
    kind: str, responses: int, fields: dict[str, object]
) -> None:
    project = project_of(kind, responses, **fields)
    found = simulating.simulate(project=project, annotators=6, judgments=60, seed=2)
    assert found.judgments == 60
    judgments = Judgment.objects.filter(item__project=project)
    assert set(judgments.annotate(n=Count("answers")).values_list("n", flat=True)) == {2}
    assert slots.wrong_slots(project) == []
    answers = Answer.objects.filter(judgment__in=judgments)
    if kind == "pairwise" and not fields.get("ties", True):
        assert set(answers.values_list("choice", flat=True)) == {"a", "b"}
    main = answers.filter(criterion="helpfulness")
    if kind == "ranking":  # the last one is the best, in the order of the data
        assert sum(one.ranks[-1] < one.ranks[0] for one in main) > 45
    elif kind == "rating" and responses > 1:
        assert sum(one.ratings[-1] > one.ratings[0] for one in main) > 40
        assert max(max(one.ratings) for one in main) == 7
    elif kind == "pairwise":
        assert main.filter(choice="b").count() > 35


@pytest.mark.slow
def test_two_responses_are_ranked_as_pairs_are_chosen() -> None:
    profile = draw_profile("careful", np.random.default_rng(3))
    rng = np.random.default_rng(4)
    found = [ranking(profile, [0.3, 0.0], rng, ties=False).numbers for _ in range(20_000)]
    expected = 1 / (1 + np.exp(-(profile.sensitivity * 0.3 + profile.left_bias)))
    expected = (1 - profile.lapse) * expected + profile.lapse * 0.75  # half as shown, half at random
    assert np.mean([ranks == (1, 2) for ranks in found]) == pytest.approx(expected, abs=0.012)


@pytest.mark.slow
def test_who_favours_the_left_favours_what_is_shown_first() -> None:
    rng = np.random.default_rng(5)

    def first(kind: str) -> float:
        profile = draw_profile(kind, np.random.default_rng(6))  # type: ignore[arg-type]
        ranks = [ranking(profile, rng.standard_normal(4), rng).numbers for _ in range(3_000)]
        return float(np.mean([one[0] == 1 for one in ranks if one.count(1) == 1]))

    assert first("careful") == pytest.approx(0.25, abs=0.04)
    assert first("left_biased") > 0.4


def test_ranks_are_dense_points_on_the_scale_and_ties_only_where_they_are_asked_for() -> None:
    rng = np.random.default_rng(7)
    level = 0
    for kind in ("careful", "noisy", "left_biased", "spammer", "too_fast"):
        profile = draw_profile(kind, rng)  # type: ignore[arg-type]
        for n in (1, 2, 5, 8):
            q = rng.standard_normal(n)
            ranks = ranking(profile, q, rng).numbers
            assert sorted(set(ranks)) == list(range(1, max(ranks) + 1))
            level += len(set(ranks)) < n
            assert sorted(ranking(profile, q, rng, ties=False).numbers) == list(range(1, n + 1))
            assert set(rating(profile, q, rng, points=5).numbers) <= {1, 2, 3, 4, 5}
    assert level
    profile = draw_profile("careful", rng)
    assert [strength(profile, difference) for difference in (0.0, 0.5, -3.0)] == [1, 2, 3]

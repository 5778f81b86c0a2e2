"""Does choosing pay? The arms, the figures of a turn, the fall-back and the return, the advice to stop."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from activelearning.models import LoopTurn, SelectedPair
from activelearning.services import arms, estimating, policies, steering
from annotation.models.project import Project
from annotation.models.work import Judgment
from annotation.services import aggregating
from rewardmodel.services import scoring
from rewardmodel.services.scoring import ScoringFailed
from tests import factories
from tests.activelearning import scored, turns

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@pytest.fixture
def project() -> Project:
    scored.same_ids()
    return factories.project(overlap=1)


# --- the arms ----------------------------------------------------------------------------------------


def test_each_label_is_in_its_arm(project: Project) -> None:
    turn = turns.two_arms(project, active=2, random=3, audit=4)
    found = arms.labels_of(project, turn.run)
    assert [int(arm.sum()) for arm in (found.active, found.random, found.audit)] == [2, 3, 4]
    assert found.given == 5  # votes on the audit set teach no model


def test_imported_pairs_are_random_until_a_score_has_chosen(project: Project) -> None:
    turn = turns.two_arms(project, active=1, random=1, audit=1)
    factories.judgment(factories.pair_item(project), factories.user())
    aggregating.refresh(project=project)
    assert arms.labels_of(project, turn.run).random.sum() == 1  # the rest of what a score has left
    project.selection_batches.update(created_at=timezone.now() + timedelta(hours=1))
    assert arms.labels_of(project, turn.run).random.sum() == 2


def test_what_was_withdrawn_and_judged_after_all_is_in_no_arm(project: Project) -> None:
    turn = turns.two_arms(project, active=2, random=1, audit=1)
    pair = SelectedPair.objects.filter(reason="regret").first()
    SelectedPair.objects.filter(pk=pair.pk).update(withdrawn_at=timezone.now())
    found = arms.labels_of(project, turn.run)
    assert (found.active.sum(), found.random.sum()) == (1, 1)


def test_a_second_opinion_leaves_a_pair_in_its_arm(project: Project) -> None:
    turn = turns.two_arms(project, active=1, random=1, audit=1)
    pair = SelectedPair.objects.get(reason="random")
    later = turns.batch(project)
    later.pairs.create(rank=1, item=pair.item, response_a=pair.response_a, response_b=pair.response_b,
                       reason="repeat")  # fmt: skip
    assert arms.labels_of(project, turn.run).random.sum() == 1


def test_no_pair_of_a_prompt_that_measures_is_in_an_arm(project: Project) -> None:
    turn = turns.two_arms(project, active=3, random=1, audit=1)
    prompt = SelectedPair.objects.filter(reason="regret").first().item.prompt
    project.prompts.filter(pk=prompt.pk).update(audit=True)
    assert arms.labels_of(project, turn.run).active.sum() == 2


# --- the estimate of a turn --------------------------------------------------------------------------


@pytest.mark.slow
def test_active_minus_random_with_an_interval_and_a_curve(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored.score_by(monkeypatch, turns.quality)
    turn = turns.two_arms(project)
    found = estimating.estimate(turn)
    assert (found["active_labels"], found["random_labels"], found["m"]) == (24, 24, 24)
    assert found["low"] <= found["gain"] <= found["high"]
    assert found["n_audit"] == 40
    assert [point["labels"] for point in found["curve"]][-1] == 24
    assert found["audit"] == {
        "accuracy": 1.0,
        "standard_error": pytest.approx(0.0172, abs=1e-3),
        "reach": pytest.approx(1.96 * 0.0172, abs=2e-3),
        "n": 40,
    }
    assert found["labels"] == 48
    json.dumps(found)
    assert steering.worth_of(json.loads(json.dumps(found))).gain == found["gain"]
    assert estimating.estimate(turn) == found  # repeated after a crash it says the same


def test_too_little_is_said_with_what_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    scored.score_by(monkeypatch, turns.quality)
    found = estimating.estimate(turns.two_arms(project, active=3, random=2, audit=1))
    assert (found["gain"], found["missing"], found["needed"]["audit"]) == (None, "audit", 30)
    assert found["reason"] == "1 audit pairs have a winner; 30 are needed."


def test_a_project_without_any_label_has_an_estimate_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored.score_by(monkeypatch, turns.quality)
    found = estimating.estimate(turns.two_arms(project, active=0, random=0, audit=2))
    assert (found["missing"], found["n_audit"]) == ("random", 2)


def test_scores_that_fail_are_a_reason_not_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise ScoringFailed("The encoder is missing.")

    monkeypatch.setattr(scoring, "score", fail)
    turn = turns.two_arms(project, active=1, random=1, audit=1)
    assert estimating.estimate(turn) == {"reason": "The encoder is missing.", "missing": "scores"}
    assert "reason" in steering.advice_for(turn)


def test_the_watched_pairs_stay_the_same_until_they_are_judged(project: Project) -> None:
    for _ in range(4):
        factories.responses(factories.prompt(project), 3)
    before = estimating.watched_pairs(project)
    assert len(before) == 12
    assert estimating.watched_pairs(project) == before
    pair = list(project.prompts.first().responses.order_by("pk")[:2])
    item = factories.pair_item(project, pair=pair)
    factories.judgment(item, factories.user())
    assert Judgment.objects.count() == 1
    left = (pair[0].pk, pair[1].pk)
    assert estimating.watched_pairs(project) == [one for one in before if one != left]


# --- falling back, and coming back -------------------------------------------------------------------


def test_three_rounds_without_a_gain_fall_back_and_chance_takes_over(project: Project) -> None:
    policies.set_policy(project=project, random_share=0.1)
    for gain in (0.02, -0.01, 0.0):
        turns.past_turn(project, gain)
    assert steering.recipe_for(project).random_share == 0.1
    turns.past_turn(project, -0.02)
    recipe = steering.recipe_for(project)
    assert (recipe.name, recipe.random_share) == ("regret", 0.8)


def test_two_gains_in_a_row_bring_the_recipe_back(project: Project) -> None:
    for gain in (-0.01, -0.01, -0.01, 0.01):
        turns.past_turn(project, gain)
    assert steering.fallen_back(project)
    turns.past_turn(project, 0.02)
    assert not steering.fallen_back(project)
    for gain in (-0.01, -0.01):  # rounds before the return do not count for the next fall
        turns.past_turn(project, gain)
    assert not steering.fallen_back(project)
    turns.past_turn(project, -0.01)
    assert steering.fallen_back(project)


def test_a_gain_that_is_sure_brings_it_back_at_once(project: Project) -> None:
    for gain in (-0.01, -0.01, -0.01):
        turns.past_turn(project, gain)
    turns.past_turn(project, 0.1, low=0.03)
    assert not steering.fallen_back(project)


def test_rounds_without_an_estimate_count_for_nothing(project: Project) -> None:
    for gain in (-0.01, None, -0.01, None):
        turns.past_turn(project, gain)
    assert not steering.fallen_back(project)
    turns.past_turn(project, -0.01)
    assert steering.fallen_back(project)


def test_the_policy_can_forbid_falling_back(project: Project) -> None:
    for _ in range(3):
        turns.past_turn(project, -0.05)
    policies.set_policy(project=project, fall_back=False, random_share=0.3)
    assert steering.recipe_for(project).random_share == 0.3
    assert steering.note_for(LoopTurn.objects.first()) == ""


def test_a_policy_that_draws_more_at_random_is_not_made_to_draw_less(project: Project) -> None:
    policies.set_policy(project=project, random_share=0.9, repeat_share=0.1)
    for _ in range(3):
        turns.past_turn(project, -0.05)
    assert steering.recipe_for(project).random_share == 0.9


def test_the_note_says_what_a_turn_changes(project: Project) -> None:
    said = []
    for gain in (-0.01, -0.01, -0.01, 0.01, 0.01, 0.01):
        turn = turns.past_turn(project, gain)
        said.append(steering.note_for(turn))
    assert said[:2] == ["", ""]
    assert (
        said[2]
        == said[3]
        == (
            "In the last rounds choosing was no better than chance: until it is, 80% of a batch "
            "is drawn at random."
        )
    )
    assert said[4:] == ["Choosing beats chance again: the recipe is back.", ""]


# --- go on or stop -----------------------------------------------------------------------------------


def advised(project: Project, accuracies: list[float], calls: list[str], labels: int = 300) -> dict:
    for n, (accuracy, said) in enumerate(zip(accuracies, calls, strict=True), start=1):
        turn = turns.past_turn(project, **turns.measured(n, labels * n, accuracy, said))
    return steering.advice_for(turn)


def test_it_is_too_early_before_four_models(project: Project) -> None:
    found = advised(project, [0.6, 0.7], ["+-+-", "+-+-"])
    assert (found["stop"], found["reason_key"], found["cost"]) == (False, "too_early", None)


def test_models_that_stand_still_on_a_flat_curve_are_done(project: Project) -> None:
    found = advised(project, [0.7, 0.702, 0.7, 0.701, 0.7, 0.7], ["+-+-" * 30] * 6, labels=4000)
    assert (found["stop"], found["reason_key"], found["stable_rounds"]) == (True, "done", 5)


def test_a_rising_curve_has_its_price(project: Project) -> None:
    policies.set_policy(project=project, label_cost=Decimal("0.4"), currency="EUR")
    found = advised(project, [0.55, 0.62, 0.66, 0.69, 0.71], ["+-+-", "++--", "+-++", "-+-+", "+-+-"])
    assert (found["stop"], found["reason_key"]) == (False, "rising")
    assert (found["more_labels"], found["cost"], found["currency"]) == (1000, 400.0, "EUR")
    assert found["low"] <= found["gain_points"] <= found["high"]


def test_a_model_that_two_turns_share_counts_once(project: Project) -> None:
    for _ in range(5):
        turn = turns.past_turn(project, **turns.measured(1, 300, 0.7))
    assert steering.advice_for(turn)["reason_key"] == "too_early"


def test_pairs_judged_meanwhile_are_compared_no_more() -> None:
    one = {"pairs": ["1-2", "3-4", "5-6"], "calls": "+-0"}
    two = {"pairs": ["3-4", "5-6"], "calls": "+0"}
    assert [calls.tolist() for calls in steering.common_calls([one, two])] == [[-1.0, 0.0], [1.0, 0.0]]
    stranger = {"pairs": ["7-8"], "calls": "+"}
    assert [calls.tolist() for calls in steering.common_calls([one, stranger])] == [[1.0]]
    assert steering.common_calls([]) == []

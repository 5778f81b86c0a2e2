"""The page Next batch: does choosing pay, has the loop fallen back, is more worth it; and its settings."""

import csv
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from activelearning.acquisition.quotas import DEFAULT, RECIPES
from activelearning.forms import SAID
from activelearning.models import LoopPolicy, LoopTurn
from annotation.models.project import Project
from benchmarks.active import tables
from tests.activelearning import turns
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db

SETTINGS = {
    "enabled": "on", "retrain_every": 100, "every_hours": 24, "batch_size": 40, "recipe": "i-optimal",
    "random_share": 12.5, "fall_back": "on", "repeat_share": 10, "overlap_share": 5, "audit_pairs": 300,
    "audit_votes": 3, "label_cost": "0.40", "currency": "EUR", "worthwhile": 0.5,
}  # fmt: skip


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def words(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def page(cast: Cast) -> str:
    return words(browser(cast.engineer).get(reverse("activelearning:batches", args=["harbour"])))


def send(cast: Cast, **changes: Any) -> HttpResponse:
    values = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
    return browser(cast.manager).post(reverse("activelearning:set_policy", args=["harbour"]), values)


def measured(project: Project, gain: float, low: float, high: float, **more: Any) -> LoopTurn:
    return turns.past_turn(project, gain, low=low, high=high, n_audit=120, **more)


def test_before_the_first_turn_the_page_says_what_is_to_come(cast: Cast) -> None:
    text = page(cast)
    assert "Does choosing pay? It is measured after each turn of the loop; there has been none yet." in text
    assert "fallen back" not in text


def test_too_little_is_said_with_how_much_is_there(cast: Cast) -> None:
    turns.past_turn(cast.project, missing="random", random_labels=12, needed={"labels": 20, "audit": 30})
    assert "Not enough yet: 12 of 20 labels on pairs drawn at random." in page(cast)
    turns.past_turn(cast.project, missing="audit", n_audit=7, needed={"labels": 20, "audit": 30})
    assert "Not enough yet: 7 of 30 judged audit pairs with a winner." in page(cast)
    turns.past_turn(cast.project, missing="scores", reason="The encoder is missing.")
    assert "The latest turn could not be measured: The encoder is missing." in page(cast)


@pytest.mark.parametrize(
    ("ends", "title"),
    [
        ((0.021, 0.004, 0.038), "Choosing pays Chosen minus random: +2.1 points of accuracy (+0.4 to +3.8)"),
        ((0.0219, -0.005, 0.047), "Whether choosing pays is not clear yet Chosen minus random: +2.2"),
        ((-0.03, -0.05, -0.01), "Choosing does harm Chosen minus random: −3.0 points"),
    ],
)
def test_the_gain_is_told_with_its_interval(cast: Cast, ends: tuple[float, float, float], title: str) -> None:
    measured(cast.project, *ends)
    text = page(cast)
    assert title in text
    assert "with 40 labels of each, on 120 audit pairs." in text


def test_a_fall_back_is_told_and_can_be_forbidden(cast: Cast) -> None:
    for _ in range(3):
        measured(cast.project, -0.01, -0.03, 0.02)
    assert "The loop has fallen back to chance." in page(cast)
    LoopPolicy.objects.create(project=cast.project, fall_back=False)
    assert "The loop has fallen back to chance." not in page(cast)


def test_what_more_labels_bring_and_cost(cast: Cast) -> None:
    advice = {
        "stop": False, "more_labels": 1000, "gain_points": 0.8, "low": 0.2, "high": 1.4, "cost": 400.0,
        "reason_key": "rising", "figures": {}, "currency": "USD",
    }  # fmt: skip
    turn = measured(cast.project, 0.01, -0.01, 0.03)

    def told(**changes: Any) -> str:
        LoopTurn.objects.filter(pk=turn.pk).update(advice={**advice, **changes})
        return page(cast)

    assert "1,000 more labels ≈ +0.8 points (+0.2 to +1.4) ≈ $400." in told()
    assert "≈ CHF 400." in told(currency="CHF")
    assert "1,000 more labels ≈ +0.8 points (+0.2 to +1.4)." in told(cost=None)
    assert "the models still change from turn to turn" in told(reason_key="changing")
    early = told(reason_key="too_early", gain_points=None, figures={"sizes": 2.0})
    assert "Too early to say what more labels would bring: 2 of 4 models were measured." in early
    done = told(stop=True, reason_key="done", figures={"models": 4, "agreement": 0.992, "pairs": 500})
    assert "You may stop The last 4 models agree on at least 99.2 % of 500 open pairs" in done


def test_every_setting_is_saved_and_shown_again(cast: Cast) -> None:
    assert send(cast).status_code == 302
    policy = LoopPolicy.objects.get(project=cast.project)
    assert (policy.every_hours, policy.recipe, policy.random_share) == (24, "i-optimal", 0.125)
    assert (policy.repeat_share, policy.overlap_share, policy.fall_back) == (0.1, 0.05, True)
    assert (policy.audit_pairs, policy.audit_votes) == (300, 3)
    assert (policy.label_cost, policy.currency, policy.worthwhile) == (Decimal("0.40"), "EUR", 0.5)
    shown = browser(cast.manager).get(reverse("activelearning:batches", args=["harbour"])).content.decode()
    assert 'name="random_share" value="12.5"' in shown
    assert re.search(r'value="i-optimal"[^>]*checked', shown)
    assert send(cast, every_hours="", label_cost="", fall_back=None).status_code == 302
    policy.refresh_from_db()
    assert (policy.every_hours, policy.label_cost, policy.fall_back) == (None, None, False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"random_share": 101}, "less than or equal to 100"),
        ({"recipe": "astrology"}, "Select a valid choice"),
        ({"currency": "dollars"}, "Three capitals, as in USD."),
        (
            {"random_share": 60, "repeat_share": 50},
            "With what is drawn at random this is more than the batch.",
        ),
        ({"worthwhile": 0}, "greater than or equal to 0.01"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(cast: Cast, changes: dict[str, Any], said: str) -> None:
    answer = send(cast, **changes)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(rf'<div class="field__error"[^>]*><p>[^<]*{re.escape(said)}', shown) or said in words(
        answer
    )
    assert '<details class="policy__more" open>' in shown
    assert not LoopPolicy.objects.exists()


def test_every_recipe_has_its_line() -> None:
    assert set(SAID) == set(RECIPES)


def test_the_tables_of_the_benchmark_are_those_of_its_files() -> None:
    written = (tables.HERE / "README.md").read_text()
    assert written.count("| **Laurel: regret** |") > 3
    assert written == tables.with_tables(written)


def test_the_figure_of_the_default_is_the_benchmark_s() -> None:
    with (Path(settings.BASE_DIR) / "benchmarks/active/ratios.csv").open() as file:
        [ratio] = [
            float(row["ratio"])
            for row in csv.DictReader(file)
            if (row["data"], row["features"], row["split"]) == ("pairs", "encoder", "seen responses")
            and (row["arm"], row["measure"], row["at"]) == ("Laurel: regret", "accuracy", "1000")
        ]
    assert f"needed {100 * ratio:.0f} labels where chance needed 100" in str(SAID[DEFAULT])

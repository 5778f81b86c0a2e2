"""Model cards: what they say, what they warn of, that Hugging Face reads them and nothing in them acts."""

import json

import pytest
from django.urls import reverse
from huggingface_hub import ModelCard

from rewardmodel.evaluation import card_limits
from rewardmodel.evaluation.model_card import Card, Registered, body_of, render
from rewardmodel.services import carding, promoting
from rewardmodel.training import card as card_file
from tests import factories
from tests.cast import browser, make_cast
from tests.rewardmodel.test_runs_pages import FULL_METRICS, trained

CONFIG = {"encoder": "sentence-transformers/all-MiniLM-L6-v2", "heads": 8, "criterion": "overall"}
MANIFEST = {
    "project": "harbour",
    "kind": "pairwise",
    "criteria": ["overall"],
    "counts": {"prompts": 1200, "votes": 58602},
    "left_out": [{"reason": "judgments on gold items", "count": 31}],
}
GOOD = {
    "accuracy": {"value": 0.8, "low": 0.78, "high": 0.82, "n": 4000},
    "baselines": {"length": {"value": 0.7}, "majority": {"value": 0.5}},
    "lift_over_length": {"value": 0.1, "low": 0.08, "high": 0.12, "n": 4000},
    "ece": 0.01,
    "evaluated": {"pairs": 4500, "prompts": 900},
    "length_bias": {"longer_wins_model": 0.7, "longer_wins_votes": 0.69},
    "ties": {"share": 0.1},
}


def test_hugging_face_reads_the_front_matter():
    card = ModelCard(render(Card(CONFIG, FULL_METRICS, MANIFEST)))
    assert card.data.base_model == CONFIG["encoder"]
    assert "reward-model" in card.data.tags
    assert card.data.license is None
    (result,) = card.data.eval_results
    assert result.metric_type == "accuracy"
    assert result.metric_value == pytest.approx(FULL_METRICS["accuracy"]["value"], abs=1e-4)


def test_a_local_encoder_is_no_base_model_and_odd_names_stay_names():
    odd = 'x: "y"\n---\n# <script>alert(1)</script>'
    card = ModelCard(render(Card({"encoder": "/models/mine"}, FULL_METRICS, {**MANIFEST, "project": odd})))
    assert card.data.base_model is None
    assert card.data.model_name == odd


def test_figures_stand_beside_their_baselines():
    text = render(Card(CONFIG, FULL_METRICS, MANIFEST))
    assert "| this model | 0.710 (0.620 to 0.800, 120 pairs) |" in text
    assert "| length alone | 0.650" in text
    assert "| judgments on gold items | 31 |" in text
    assert "58,602" in text


def test_each_criterion_has_its_line_and_its_limits():
    part = {
        "accuracy": {"value": 0.6, "low": 0.5, "high": 0.7, "n": 300},
        "baselines": {"length": {"value": 0.7}},
    }
    text = render(Card(CONFIG, {**GOOD, "criteria": {"safety": part}}, MANIFEST))
    assert "| safety | 0.600 (0.500 to 0.700, 300 pairs) | 0.700 |" in text
    assert "- On the criterion “safety”: it is **below length alone**" in text


def test_a_card_is_written_whatever_is_missing():
    text = render(Card({}, {}, {}))
    assert "nobody knows how accurate it is" in text
    assert "model-index" not in text


def test_a_good_model_has_no_limits_but_its_domain():
    assert card_limits.limits(GOOD) == []


def test_length_is_no_rival_where_the_longer_response_won():
    """There it is right about every pair."""
    longer = {"name": "longer", "value": 0.97, "n": 50, "length": {"value": 1.0}}
    shorter = {"name": "shorter", "value": 0.1, "high": 0.2, "n": 50, "length": {"value": 0.0}}
    strata = {"longer_won": {"rows": [longer, shorter]}}
    assert card_limits.limits({**GOOD, "strata": strata}) == [
        "Worse than tossing a coin on longer won “shorter”: 0.100 (50 pairs)."
    ]


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"baselines": {"length": {"value": 0.85}}}, "below length alone** on held-out pairs (0.800"),
        ({"lift_over_length": {"low": -0.01, "high": 0.03}}, "not better than length alone beyond chance"),
        ({"accuracy": {"value": 0.8, "n": 40}}, "rests on 40 decided pairs"),
        ({"evaluated": {"prompts": 12}}, "on 12 prompts only"),
        ({"ece": 0.072}, "off by 7.2 points on average."),
        ({"ece": 0.072, "ece_by_chance": {"high": 0.08}}, "(up to 8.0): whether it is calibrated cannot be"),
        ({"length_bias": {"longer_wins_model": 0.8, "longer_wins_votes": 0.6}}, "learn to be wordy"),
        ({"ties": {"share": 0.5}}, "50 % of the pairs have no winner"),
        (
            {"strata": {"category": {"rows": [{"name": "law", "value": 0.6, "n": 50,
                                               "length": {"value": 0.7}}]}}},
            "Below length alone on category “law”: 0.600 against 0.700 (50 pairs)",
        ),
        (
            {"strata": {"category": {"rows": [{"name": "law", "value": 0.4, "high": 0.47, "n": 50}]}}},
            "Worse than tossing a coin on category “law”",
        ),
        (
            {"strata": {"category": {"rows": [{"name": "law", "value": 0.0, "high": 0.0, "n": 50}]}}},
            "Worse than tossing a coin on category “law”: 0.000 (50 pairs)",
        ),
    ],
)  # fmt: skip
def test_limits_are_read_off_the_figures(worse, said):
    (limit,) = card_limits.limits({**GOOD, **worse})
    assert said in limit


def test_strata_too_small_to_say_anything_say_nothing():
    row = {"name": "law", "value": 0.1, "n": 3, "length": {"value": 0.9}}
    assert card_limits.limits({**GOOD, "strata": {"category": {"rows": [row]}}}) == []


def test_the_training_program_writes_it_beside_the_metrics(tmp_path):
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "manifest.json").write_text(json.dumps(MANIFEST))
    card_file.write(tmp_path, tmp_path / "snapshot", CONFIG, FULL_METRICS)
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert text == render(Card(CONFIG, FULL_METRICS, MANIFEST))
    assert body_of(text).startswith("# Reward model of harbour")


def test_what_the_registry_knows_is_in_it():
    registered = Registered(3, (("code", "1.0"),), "They agree.", ("Promoted by ann: it *works*",))
    text = render(Card(CONFIG, FULL_METRICS, MANIFEST, registered))
    assert "# Reward model of harbour run 3" in text
    assert "They agree." in text
    assert "- Promoted by ann: it \\*works\\*" in text


@pytest.mark.django_db
def test_the_page_and_the_download_tell_who_promoted_it_and_act_on_nothing():
    cast = make_cast()
    row = {"name": "<img src=x onerror=alert(1)>", "value": 0.4, "n": 60, "length": {"value": 0.6}}
    run = trained(cast.project)
    run.metrics = {**FULL_METRICS, "strata": {"category": {"rows": [row]}}}
    run.save()
    promoting.promote(run=run, actor=cast.manager, reason="It is the best we have.")
    client = browser(cast.engineer)
    page = client.get(reverse("rewardmodel:card", args=[cast.project.slug, run.number])).content.decode()
    assert "It is the best we have." in page
    assert "<img src=x" not in page
    file = client.get(reverse("rewardmodel:card_file", args=[cast.project.slug, run.number]))
    assert file.headers["Content-Disposition"].endswith('harbour-run-1-MODEL_CARD.md"')
    assert file.content.decode() == carding.card_of(run)
    assert ModelCard(file.content.decode()).data.library_name == "laurel"


@pytest.mark.django_db
def test_a_run_that_was_not_trained_has_none():
    cast = make_cast()
    run = factories.run(cast.project, state="failed")
    client = browser(cast.engineer)
    for name in ("card", "card_file"):
        assert (
            client.get(reverse(f"rewardmodel:{name}", args=[cast.project.slug, run.number])).status_code
            == 404
        )

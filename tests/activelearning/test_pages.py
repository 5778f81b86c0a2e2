"""The pages of the next batch: where the loop is, what was chosen and why, and who may see it."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from django.http import HttpResponse
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from activelearning.acquisition.explaining import Context, explain
from activelearning.acquisition.recipe import only_open
from activelearning.acquisition.selection import PairScores
from activelearning.acquisition.wording import said
from activelearning.models import LoopPolicy, LoopTurn, SelectedPair, SelectionBatch
from annotation.models.project import Project
from annotation.models.worker import WorkerHeartbeat
from rewardmodel.models import Ensemble
from tests import factories
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db
SCORES = {"disagreement": 0.25, "margin": 0.5, "probability": 0.62, "gain": 0.1234, "expected_error": 0.4}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def words(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def look(user: User, *number: int, query: str = "") -> HttpResponse:
    name = "activelearning:batch" if number else "activelearning:batches"
    response = browser(user).get(reverse(name, args=["harbour", *number]) + query)
    assert response.status_code == 200
    return response


def batch_of(project: Project, reasons: Sequence[str], *, ensemble: Ensemble | None = None) -> SelectionBatch:
    number = project.selection_batches.count() + 1
    batch = SelectionBatch.objects.create(
        project=project, number=number, ensemble=ensemble, strategy="recipe", seed=7, candidates=1234,
        notes=["Too few held-out labels."],
    )  # fmt: skip
    for rank, reason in enumerate(reasons, start=1):
        item = factories.pair_item(project)
        first, second = (row.response for row in item.item_responses.order_by("position"))
        SelectedPair.objects.create(
            batch=batch, rank=rank, item=item, response_a=first, response_b=second, reason=reason,
            explanation=f"Because of {reason}.", scores=SCORES if ensemble else dict.fromkeys(SCORES),
            propensity=0.02 if reason == "audit" else None,
        )  # fmt: skip
    return batch


def test_a_new_project_is_told_what_happens_and_what_to_do(cast: Cast) -> None:
    text = words(look(cast.engineer))
    assert "200 more judgments until the next turn" in text
    assert "No model yet" in text
    assert "Until a first run has been trained, pairs are chosen by the texts" in text
    assert "Nothing has been selected yet" in text
    assert "./laurel select harbour --n 50" in text
    assert "No worker is running , so no turn happens." in text


def test_the_page_counts_down_to_the_next_turn(cast: Cast) -> None:
    LoopPolicy.objects.create(project=cast.project, retrain_every=3, batch_size=9)
    factories.judgment(factories.pair_item(cast.project), cast.annotator)
    text = words(look(cast.engineer))
    assert "2 more judgments until the next turn" in text
    assert "1/3" in text
    assert "queue 9 pairs" in text
    for _ in range(2):
        factories.judgment(factories.pair_item(cast.project), cast.annotator)
    assert "The next turn is due" in words(look(cast.engineer))


def test_a_loop_that_is_off_says_so(cast: Cast) -> None:
    LoopPolicy.objects.create(project=cast.project, enabled=False)
    assert "The loop is switched off" in words(look(cast.engineer))


def test_a_turn_under_way_and_those_before_are_shown(cast: Cast) -> None:
    run = factories.run(cast.project, state="failed")
    LoopTurn.objects.create(
        project=cast.project, judgments=200, run=run, state="failed", note="Run 1 <failed>."
    )
    LoopTurn.objects.create(project=cast.project, judgments=400, run=run, state="training")
    response = look(cast.engineer)
    text = words(response)
    assert "A turn is under way: training" in text
    assert "Watch run 1" in text
    assert "Run 1 &lt;failed&gt;." in response.content.decode()


def test_the_ensemble_that_chooses_is_named_with_its_accuracy(cast: Cast) -> None:
    accuracy = {"value": 0.7975, "low": 0.7183, "high": 0.8732, "n": 79}
    factories.ensemble(factories.run(cast.project, metrics={"accuracy": accuracy}))
    assert "agrees with people on .80 of held-out pairs (.72–.87, 79 pairs)" in words(look(cast.manager))


@pytest.mark.parametrize("metrics", [None, {}, {"accuracy": {"value": None}}])
def test_an_ensemble_without_figures_does_not_break_the_page(cast: Cast, metrics: dict | None) -> None:
    factories.ensemble(factories.run(cast.project, metrics=metrics))
    assert "Run 1 does the choosing Its report" in words(look(cast.manager))


def test_a_silent_training_worker_is_said_in_plain_words(cast: Cast) -> None:
    now = datetime.now(UTC)
    WorkerHeartbeat.objects.create(name="l", queue="light", pid=1, host="h", started_at=now, seen_at=now)
    assert "No training worker is running" in words(look(cast.engineer))


def test_select_now_queues_a_batch_and_shows_it(cast: Cast) -> None:
    for _ in range(3):
        factories.responses(factories.prompt(cast.project), 3)
    client = browser(cast.engineer)
    shown = client.post(reverse("activelearning:select", args=["harbour"]), {"n": 4}, follow=True)
    text = words(shown)
    assert "4 of 9 possible pairs, drawn at random: there was no model yet." in text
    assert text.count("waiting") == 4
    assert "Drawn at random 100 % 4" in text
    batch = cast.project.selection_batches.get()
    assert batch.pairs.count() == 4
    assert "Batch 1 chance (no model yet) 4" in words(look(cast.engineer))


@pytest.mark.slow
def test_select_refuses_what_is_no_number_and_says_when_nothing_is_left(cast: Cast) -> None:
    client = browser(cast.engineer)
    url = reverse("activelearning:select", args=["harbour"])
    for bad in ("", "0", "many", "1000000"):
        assert "give a whole number" in words(client.post(url, {"n": bad}, follow=True))
    assert "Every pair of responses is judged" in words(client.post(url, {"n": 5}, follow=True))
    assert not cast.project.selection_batches.exists()


def test_the_policy_is_saved(cast: Cast) -> None:
    client = browser(cast.manager)
    url = reverse("activelearning:set_policy", args=["harbour"])
    saved = client.post(url, {"enabled": "on", "retrain_every": 30, "batch_size": 7}, follow=True)
    assert "The loop is set." in words(saved)
    policy = LoopPolicy.objects.get(project=cast.project)
    assert (policy.enabled, policy.retrain_every, policy.batch_size) == (True, 30, 7)
    refused = client.post(url, {"retrain_every": 0, "batch_size": 7}, follow=True)
    assert "The loop is set." not in words(refused)
    policy.refresh_from_db()
    assert policy.retrain_every == 30


def test_a_batch_shows_why_each_pair_was_chosen_and_what_became_of_it(cast: Cast) -> None:
    ensemble = factories.ensemble(factories.run(cast.project))
    reasons = ["uncertainty", "uncertainty", "diversity", "error", "audit"]
    batch = batch_of(cast.project, reasons, ensemble=ensemble)
    first, second = (pair.item for pair in batch.pairs.all()[:2])
    cast.project.overlap = 1
    for item, votes in ((first, 3), (second, 1)):
        for _ in range(votes):
            factories.judgment(item, factories.user())
    text = words(look(cast.engineer, 1))
    assert "5 of 1,234 possible pairs, chosen by run 1." in text
    assert "The ensemble is unsure 40 % 2" in text
    assert "Unlike the rest 20 % 1" in text
    assert "The model errs nearby 20 % 1" in text
    assert "Measures the model 20 % 1" in text
    assert "Too few held-out labels." in text
    for reason in set(reasons):
        assert f"Because of {reason}." in text
    assert "Disagreement 0.50 Margin 0.50 A better 62 % Gain 0.123 Expected error 0.40" in text
    assert "Chance 0.02" in text
    assert text.count("judged") == 2  # the badge, and the explanation of the scores
    assert text.count("1 vote so far") == 1
    assert text.count("waiting") == 3
    pair = batch.pairs.first()
    assert pair is not None
    assert pair.response_a.text in text
    assert pair.response_b.text in text


def test_why_pairs_were_chosen_is_said_in_the_language_of_the_page(cast: Cast) -> None:
    batch_of(cast.project, ["regret", "audit"], ensemble=factories.ensemble(factories.run(cast.project)))
    client = browser(cast.engineer)
    client.cookies["django_language"] = "de"
    text = words(client.get(reverse("activelearning:batch", args=["harbour", 1])))
    assert text.count("Entscheidet die meisten Sieger") == 2  # in the bar and on the line
    assert "Decides most winners" not in text


def test_sentences_of_a_selection_are_said_in_the_language_of_the_page(cast: Cast) -> None:
    """Numbers too; what an older release wrote, or what nobody has translated, stays English."""
    batch = batch_of(cast.project, ["regret", "audit"])
    older = words(look(cast.engineer, 1))
    assert "Too few held-out labels." in older
    assert "Because of regret." in older
    told = [
        only_open(1234, 2000),
        said("Nobody translated {what:.2f} of {all}, {part:.1%}.", what=0.5, all=2.5, part=0.2),
    ]
    batch.said = [dataclasses.asdict(one) for one in told]
    batch.save()
    scores = PairScores(probability=0.62, deviation=1.2345, stake=3.21)
    pair = batch.pairs.get(reason="regret")
    pair.said = [dataclasses.asdict(one) for one in explain("regret", scores, None, Context(labelled=9))]
    pair.save()
    client = browser(cast.engineer)
    client.cookies["django_language"] = "de"
    text = words(client.get(reverse("activelearning:batch", args=["harbour", 1])))
    assert "Nur 1.234 offene Paare, verlangt waren 2.000." in text
    assert "Nobody translated 0,50 of 2,5, 20,0 %." in text
    assert "(62 % für die erste, ± 1,23 Logits). Ein Urteil entscheidet mehr" in text
    assert "Ein Urteil klärt das 3,2-Fache" in text
    assert "Because of audit." in text
    assert "Because of regret." not in text


def test_a_value_is_never_markup_nor_a_format(cast: Cast) -> None:
    batch = batch_of(cast.project, ["audit"])
    batch.said = [dataclasses.asdict(said("Not aimed: {why}", why="<b>{x.y}</b> 0.5 %"))]
    batch.save()
    html = look(cast.engineer, 1).content.decode()
    assert "Not aimed: &lt;b&gt;{x.y}&lt;/b&gt; 0.5 %" in html


def test_a_cold_start_has_no_scores_to_show(cast: Cast) -> None:
    batch_of(cast.project, ["audit"])
    assert "Disagreement" not in words(look(cast.engineer, 1))


def test_texts_are_text_and_never_markup_and_models_are_not_named(cast: Cast) -> None:
    batch = batch_of(cast.project, ["audit"])
    prompt = factories.prompt(cast.project, "<img src=x onerror=alert(1)>")
    pair = [
        factories.response(prompt, "<script>alert(1)</script>", model="secret-model"),
        factories.response(prompt),
    ]
    item = factories.pair_item(cast.project, pair=pair)
    SelectedPair.objects.create(
        batch=batch,
        rank=2,
        item=item,
        response_a=pair[0],
        response_b=pair[1],
        reason="audit",
        explanation="<i>x</i>",
    )
    html = look(cast.engineer, 1).content.decode()
    for bad in ("<script>alert", "<img src=x", "<i>x</i>", "secret-model"):
        assert bad not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_newest_batch_comes_first(cast: Cast) -> None:
    for _ in range(3):
        batch_of(cast.project, ["audit"])
    assert re.findall(r">Batch (\d)<", look(cast.engineer).content.decode()) == ["3", "2", "1"]


@pytest.mark.slow
def test_a_long_batch_comes_in_pages_in_the_order_of_choice(cast: Cast) -> None:
    batch_of(cast.project, ["audit"] * 60)
    html = [look(cast.engineer, 1, query=f"?page={page}").content.decode() for page in (1, 2, 3)]
    ranks = [re.findall(r'<span class="pairs__rank num">(\d+)</span>', one) for one in html]
    assert [len(one) for one in ranks] == [25, 25, 10]
    assert [int(rank) for one in ranks for rank in one] == list(range(1, 61))
    assert [one.count("Because of audit.") for one in html] == [25, 25, 10]


@pytest.mark.parametrize("who", ["annotator", "reviewer", "outsider"])
def test_who_may_not_build_finds_nothing(cast: Cast, who: str) -> None:
    batch_of(cast.project, ["audit"])
    client = browser(getattr(cast, who))
    assert client.get(reverse("activelearning:batches", args=["harbour"])).status_code == 404
    assert client.get(reverse("activelearning:batch", args=["harbour", 1])).status_code == 404
    assert client.post(reverse("activelearning:select", args=["harbour"]), {"n": 1}).status_code == 404
    assert client.post(reverse("activelearning:set_policy", args=["harbour"]), {}).status_code == 404


def test_a_batch_of_another_project_is_not_there(cast: Cast) -> None:
    batch_of(cast.other_project, ["audit"])
    assert browser(cast.engineer).get(reverse("activelearning:batch", args=["harbour", 1])).status_code == 404


def test_the_pages_ask_the_database_as_often_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = browser(cast.engineer)
    run = factories.run(cast.project)
    ensemble = factories.ensemble(run)
    for _ in range(2):
        batch = batch_of(cast.project, ["uncertainty", "diversity", "audit"], ensemble=ensemble)
        LoopTurn.objects.create(project=cast.project, judgments=1, run=run, batch=batch, state="done")
        with django_assert_num_queries(16):
            client.get(reverse("activelearning:batches", args=["harbour"]))
        with django_assert_num_queries(9):
            client.get(reverse("activelearning:batch", args=["harbour", batch.number]))

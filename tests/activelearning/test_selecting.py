"""The next batch: only pairs nobody judged, each with its reason, and people get them first."""

import json
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from activelearning.models import LoopPolicy, SelectedPair, SelectionBatch
from activelearning.services import choosing, selecting
from annotation.interchange.snapshot import read_preferences
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import assigning, items, snapshotting
from tests import factories
from tests.activelearning import scored
from tests.annotation.import_rows import bring, row


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@pytest.fixture(autouse=True)
def _same_draws(db: None) -> None:
    scored.same_ids()


def pairs_of(batch: SelectionBatch | None) -> set[frozenset[int]]:
    assert batch is not None
    return {frozenset((pair.response_a_id, pair.response_b_id)) for pair in batch.pairs.all()}


def judged_pairs(project: Project) -> set[frozenset[int]]:
    judged = Item.objects.filter(project=project, judgments__live=True)
    return {frozenset(item.responses.values_list("pk", flat=True)) for item in judged}


def chosen_by_score(batch: SelectionBatch | None) -> QuerySet[SelectedPair]:
    assert batch is not None
    return batch.pairs.exclude(reason__in=["audit", "random"])


# --- what is chosen --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_a_batch_follows_the_recipe_on_pairs_nobody_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(40)
    scored.judge_some(project, 40)
    factories.gold_item(project, pair=list(project.prompts.first().responses.order_by("pk")[2:4]))
    ensemble = scored.with_ensemble(project)
    calls = scored.score_by(monkeypatch, scored.unsure)
    batch = selecting.select(project=project, n=100, seed=1)
    assert batch is not None
    assert calls == [360]
    assert (batch.number, batch.ensemble, batch.strategy) == (1, ensemble, "regret")
    assert batch.candidates == 40 * 36 - 40 - 1
    assert Counter(batch.pairs.values_list("reason", flat=True)) == {
        "regret": 81, "random": 9, "audit": 10
    }  # fmt: skip
    assert sorted(batch.pairs.values_list("rank", flat=True)) == list(range(1, 101))
    assert not pairs_of(batch) & judged_pairs(project)
    assert all(len(pair) == 2 for pair in pairs_of(batch))
    for pair in batch.pairs.select_related("response_a", "response_b", "item"):
        assert pair.explanation
        assert pair.response_a.prompt_id == pair.response_b.prompt_id == pair.item.prompt_id
        by_chance = pair.reason in ("audit", "random")
        assert (pair.propensity is not None) == by_chance
        assert pair.item.origin == ("random" if by_chance else "selected")
        assert set(pair.item.responses.all()) == {pair.response_a, pair.response_b}
    scored.assert_said_in_parts(batch)


@pytest.mark.slow
@pytest.mark.django_db
def test_what_the_members_quarrel_about_is_chosen_for_uncertainty(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(30)
    LoopPolicy.objects.create(project=project, recipe="textbook")
    scored.judge_some(project, 30)
    scored.with_ensemble(project)
    quarrelled = set(project.prompts.order_by("pk").values_list("pk", flat=True)[5:15])

    def rewards(response: Response, rng: np.random.Generator) -> np.ndarray:
        if response.prompt_id in quarrelled:
            return rng.normal(size=scored.MEMBERS)
        return np.full(scored.MEMBERS, float(rng.normal(scale=6))) + rng.normal(size=scored.MEMBERS) * 0.01

    scored.score_by(monkeypatch, rewards)
    batch = selecting.select(project=project, n=40, seed=1)
    assert batch is not None
    doubted = batch.pairs.filter(reason="uncertainty").select_related("item")
    assert sum(pair.item.prompt_id in quarrelled for pair in doubted) >= 0.9 * doubted.count() > 10


@pytest.mark.django_db
@pytest.mark.slow
def test_scores_choose_nothing_on_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """All quarrel is about prompts of the test split, so that whoever looked at scores would pick them."""
    project = scored.candidates(60)
    scored.judge_some(project, 60)
    ensemble = scored.with_ensemble(project)
    rows = read_preferences(snapshotting.folder_of(ensemble.run.snapshot))
    measured = {int(row.preference.prompt_id) for row in rows if row.split == "test"}
    assert len(measured) == 6

    def rewards(response: Response, rng: np.random.Generator) -> np.ndarray:
        quarrel = 5.0 if response.prompt_id in measured else 0.1
        return rng.normal(size=scored.MEMBERS) * quarrel

    scored.score_by(monkeypatch, rewards)
    audited: set[int] = set()
    for seed in range(4):
        batch = selecting.select(project=project, n=60, seed=seed)
        assert not chosen_by_score(batch).filter(item__prompt__in=measured).exists()
        assert chosen_by_score(batch).count() == 49
        audited |= set(batch.pairs.filter(reason="audit").values_list("item__prompt", flat=True))
    assert audited & measured


@pytest.mark.slow
@pytest.mark.django_db
def test_prompts_that_will_be_measured_once_judged_are_kept_free_too(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(120)
    scored.judge_some(project, 20)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    batch = selecting.select(project=project, n=200, seed=1)
    scored.judge_some(project, 120)
    later = snapshotting.create(project=project)
    splits = {
        int(row.preference.prompt_id): row.split for row in read_preferences(snapshotting.folder_of(later))
    }
    chosen = set(chosen_by_score(batch).values_list("item__prompt", flat=True))
    assert len(chosen) > 50
    assert "test" not in {splits[prompt] for prompt in chosen}


@pytest.mark.slow
@pytest.mark.django_db
def test_what_the_ensemble_was_measured_on_stays_free_when_the_split_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Below a hundred prompts the split is by rank: prompts that come later may push one out of the test."""
    project = scored.candidates(12)
    scored.judge_some(project, 12)
    ensemble = scored.with_ensemble(project)
    rows = read_preferences(snapshotting.folder_of(ensemble.run.snapshot))
    measured = {row.preference.prompt_id for row in rows if row.split == "test"}
    scored.score_by(monkeypatch, scored.unsure)
    monkeypatch.setattr(choosing, "assign_splits", lambda prompts, seed: dict.fromkeys(prompts, "train"))
    batch = selecting.select(project=project, n=300, seed=1)
    assert measured
    assert chosen_by_score(batch).count() > 200
    assert not chosen_by_score(batch).filter(item__prompt__in=measured).exists()


@pytest.mark.slow
@pytest.mark.django_db
def test_when_only_test_prompts_are_open_chance_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(10, responses=9)
    scored.judge_some(project, 10)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    monkeypatch.setattr(
        choosing, "assign_splits", lambda prompts, seed: dict.fromkeys(prompts, "test")
    )  # fmt: skip
    batch = selecting.select(project=project, n=30, seed=1)
    assert batch is not None
    assert set(batch.pairs.values_list("reason", flat=True)) == {"audit"}
    assert len(pairs_of(batch)) == 30
    assert any("random" in note for note in batch.notes)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_same_seed_chooses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(20)
    scored.judge_some(project, 20)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    one, same, other = (selecting.choose(project=project, n=20, seed=seed) for seed in (5, 5, 6))
    assert one.selection.pairs == same.selection.pairs
    assert one.selection.pairs != other.selection.pairs


@pytest.mark.slow
@pytest.mark.django_db
def test_more_than_there_are_gives_all_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(3)
    scored.judge_some(project, 3)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    batch = selecting.select(project=project, n=1_000, seed=1)
    assert batch is not None
    assert len(pairs_of(batch)) == batch.candidates == 3 * 36 - 3
    assert any("1000 were asked for" in note for note in batch.notes)
    assert selecting.select(project=project, n=10, seed=1) is None


# --- again, and side by side -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_a_second_batch_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(10)
    scored.judge_some(project, 10)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    first = selecting.select(project=project, n=40, seed=1)
    second = selecting.select(project=project, n=40, seed=1)
    assert len(pairs_of(first)) == len(pairs_of(second)) == 40
    assert not pairs_of(first) & pairs_of(second)


@pytest.mark.slow
@pytest.mark.django_db
def test_two_selections_at_once_share_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both choose before either queues, as two workers would."""
    project = scored.candidates(5)
    scored.judge_some(project, 5)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    choices = [selecting.choose(project=project, n=20, seed=1) for _ in range(2)]
    first = selecting.queue(project=project, choice=choices[0])
    assert len(pairs_of(first)) == 20
    assert selecting.queue(project=project, choice=choices[1]) is None
    assert SelectedPair.objects.count() == 20


@pytest.mark.django_db
def test_a_pair_judged_while_scores_were_made_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(5)
    choice = selecting.choose(project=project, n=20, seed=1)
    pair = choice.selection.pairs[0]
    responses = [Response.objects.get(pk=pk) for pk in (pair.response_a, pair.response_b)]
    factories.judgment(factories.pair_item(project, pair=responses), factories.user(), "a")
    batch = selecting.queue(project=project, choice=choice)
    assert len(pairs_of(batch)) == 19
    assert frozenset(response.pk for response in responses) not in pairs_of(batch)


@pytest.mark.slow
@pytest.mark.django_db
def test_an_import_while_scores_are_made_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(5)
    scored.judge_some(project, 5)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    answer = choosing.aggregating.refresh

    def refresh_then_import(*, project: Project) -> int:
        found = answer(project=project)
        bring(project, row(777, ("w1", "a")))
        return found

    monkeypatch.setattr(choosing.aggregating, "refresh", refresh_then_import)
    assert len(pairs_of(selecting.select(project=project, n=20, seed=1))) == 20


# --- what becomes of it ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_people_get_the_newest_batch_first(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored.candidates(4)
    bring(project, *(row(n) for n in range(100, 110)))
    batches = [selecting.select(project=project, n=3, seed=seed) for seed in (1, 2)]
    person, got = factories.user(), []
    for _ in range(7):
        claimed = assigning.claim(project=project, annotator=person)
        assert claimed is not None
        got.append(claimed.item_id)
        assigning.skip(assignment_id=claimed.pk, annotator=person)
    first, second = ({pair.item_id for pair in batch.pairs.all()} for batch in batches if batch)
    assert set(got[:3]) == second
    assert set(got[3:6]) == first
    assert got[6] not in first | second


@pytest.mark.django_db
def test_imported_items_nobody_judged_are_raised_and_not_doubled() -> None:
    project = factories.project()
    bring(project, *(row(n) for n in range(30)))
    before = set(Item.objects.values_list("pk", flat=True))
    batch = selecting.select(project=project, n=10, seed=1)
    assert batch is not None
    assert set(Item.objects.values_list("pk", flat=True)) == before
    raised = Item.objects.filter(priority=1)
    assert set(raised) == {pair.item for pair in batch.pairs.select_related("item")}
    assert raised.count() == 10
    assert set(raised.values_list("origin", flat=True)) == {"imported"}


@pytest.mark.django_db
def test_a_pair_turned_round_is_the_item_there_is() -> None:
    project = factories.project()
    item = factories.pair_item(project)
    first, second = (place.response_id for place in item.item_responses.order_by("position"))
    (found,) = items.queue_pairs(project=project, pairs=[(second, first)], priority=4, origins=["selected"])
    item.refresh_from_db()
    assert (found, item.priority, item.origin) == (item, 4, "imported")
    assert list(item.item_responses.values_list("response_id", flat=True)) == [first, second]


@pytest.mark.django_db
def test_responses_that_cannot_be_compared_are_refused() -> None:
    here, there = factories.project(), factories.project()
    one, two = factories.response(factories.prompt(here)), factories.response(factories.prompt(here))
    alien = factories.response(factories.prompt(there))
    for pair in ((one.pk, two.pk), (one.pk, one.pk), (one.pk, alien.pk)):
        with pytest.raises(items.UnfitPair):
            items.queue_pairs(project=here, pairs=[pair], priority=1, origins=["selected"])
    assert not Item.objects.exists()


# --- without an ensemble, without candidates -------------------------------------------------------


@pytest.mark.django_db
def test_without_an_ensemble_pairs_are_drawn_at_random() -> None:
    batch = selecting.select(project=scored.candidates(5), n=12, seed=1)
    assert batch is not None
    assert (batch.ensemble, batch.strategy) == (None, SelectionBatch.BY_CHANCE)
    assert set(batch.pairs.values_list("reason", flat=True)) == {"audit", "random"}
    chances = dict(batch.pairs.values_list("reason", "propensity"))
    # One of five prompts measures, and each of its 36 pairs is in the audit set.
    assert chances == {"audit": 1.0, "random": pytest.approx(11 / 144)}


@pytest.mark.django_db
def test_without_candidates_there_is_no_batch() -> None:
    project = factories.project()
    assert selecting.select(project=project, n=5) is None
    factories.judgment(factories.pair_item(project), factories.user(), "a")
    factories.gold_item(project)
    assert selecting.select(project=project, n=5) is None
    assert not SelectionBatch.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("n", [0, -1])
def test_what_cannot_be_selected_is_said(n: int) -> None:
    with pytest.raises(selecting.InvalidSelection):
        selecting.select(project=factories.project(), n=n)


# --- the command -----------------------------------------------------------------------------------


def command(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("select", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.django_db
def test_the_command_prints_the_batch_with_its_reasons() -> None:
    project = scored.candidates(2, slug="harbour")
    found = command("harbour", "--n", "4", "--seed", "9")
    assert (found["project"], found["batch"], found["run"], found["seed"]) == ("harbour", 1, None, 9)
    assert found["candidates"] == 72
    assert [pair["rank"] for pair in found["pairs"]] == [1, 2, 3, 4]
    assert {pair["item"] for pair in found["pairs"]} == set(project.items.values_list("pk", flat=True))
    assert all(pair["reason"] in ("audit", "random") and pair["explanation"] for pair in found["pairs"])


@pytest.mark.django_db
def test_the_command_without_candidates_or_with_nonsense() -> None:
    factories.project(slug="bare")
    found = command("bare", "--n", "4")
    assert (found["batch"], found["pairs"]) == (None, [])
    assert found["notes"]
    with pytest.raises(CommandError) as refused:
        command("bare", "--n", "0")
    assert refused.value.returncode == 1

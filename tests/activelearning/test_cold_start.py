"""Before the first run the recipe goes by the texts; where they are not embedded, chance chooses."""

from collections import Counter
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.urls import reverse

from activelearning.acquisition.pool import ResponsePool
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.selection import Selection
from activelearning.models import LoopPolicy, SelectionBatch
from activelearning.services import aiming, featuring, on_device, policies, selecting, withdrawing
from activelearning.services.arms import _first_scored_batch
from activelearning.services.holding import held
from activelearning.tasks import embed
from annotation.models.content import Response
from annotation.models.project import Project
from rewardmodel.services import embedding, sending
from rewardmodel.services.embedding import embed_responses  # the program itself, kept from the tests
from tests import factories
from tests.activelearning import scored
from tests.annotation.crowds import at_once
from tests.cast import browser, make_cast


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)
    settings.LAUREL_CACHE_DIR = tmp_path / "cache"


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was sent to the training worker."""
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(sending, "wake", lambda task, pk: bool(sent.append((task, pk))))
    return sent


def world(monkeypatch: pytest.MonkeyPatch, prompts: int = 6, **policy: object) -> Project:
    project = scored.candidates(prompts)
    values = {"audit_pairs": 0, "overlap_share": 0.0, "repeat_share": 0.0, **policy}
    LoopPolicy.objects.create(project=project, **values)
    scored.with_no_test_prompts(monkeypatch)
    return project


# --- by the texts ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_first_batch_follows_the_recipes_cold_start(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    calls = scored.embed_as(monkeypatch, scored.anything)
    batch = selecting.select(project=project, n=20, seed=1)
    assert calls == [20.0]
    assert (batch.ensemble, batch.strategy, batch.by_texts) == (None, "cold start: regret", True)
    assert Counter(batch.pairs.values_list("reason", flat=True)) == {"i_optimal": 18, "random": 2}
    assert batch.notes[0] == str(featuring.BY_TEXTS)
    assert "There are no labels yet: the batch starts cold." in batch.notes
    for pair in batch.pairs.all():
        chance = pair.reason == "random"
        assert pair.explanation.startswith("No model yet. ") != chance
        assert (pair.propensity == pytest.approx(2 / (6 * 36))) if chance else pair.propensity is None
        assert pair.scores["probability"] is None
        assert pair.cluster is not None
    scored.assert_said_in_parts(batch)
    assert batch.survey["kinds"]


@pytest.mark.django_db
def test_the_command_waits_until_all_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    calls = scored.embed_as(monkeypatch, scored.anything)
    call_command("select", project.slug, "--n", "5", stdout=StringIO())
    assert calls == [None]


@pytest.mark.django_db
def test_what_looks_alike_is_not_asked_about_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nine responses to each prompt eight read the same: chance would mostly compare those."""
    project = world(monkeypatch, random_share=0.0)
    odd = {prompt.responses.order_by("pk").first().pk for prompt in project.prompts.all()}

    def features(response: Response) -> np.ndarray:
        own = np.random.default_rng(response.prompt_id).normal(size=scored.DIMENSIONS)
        return own + scored.anything(response) if response.pk in odd else own

    scored.embed_as(monkeypatch, features)
    batch = selecting.select(project=project, n=12, seed=1)
    assert all({pair.response_a_id, pair.response_b_id} & odd for pair in batch.pairs.all())


@pytest.mark.django_db
def test_answers_count_before_the_first_run_but_not_those_that_will_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first feature is quality. One prompt measures: its answers, all upside down, teach nothing."""
    project = world(monkeypatch, random_share=0.0)
    measuring = project.prompts.order_by("pk").first()
    measuring.audit = True
    measuring.save()
    scored.embed_as(
        monkeypatch, lambda one: np.r_[float(one.pk % 7), 0.1 * np.random.default_rng(one.pk).normal(size=3)]
    )
    for prompt in project.prompts.order_by("pk"):
        few = sorted(prompt.responses.all(), key=lambda one: one.pk % 7)[::4]
        for worse, better in pairwise(few):
            sides = [worse, better] if prompt == measuring else [better, worse]
            item = factories.pair_item(project, pair=sides)
            for _ in range(3):
                factories.judgment(item, factories.user(), "a")
    batch = selecting.select(project=project, n=20, seed=1)
    chosen = batch.pairs.filter(reason="regret").select_related("response_a", "response_b")
    assert chosen.count() == 20
    told = [(p.scores["probability"], p.response_a_id % 7 - p.response_b_id % 7) for p in chosen]
    assert all((chance > 0.5) == (lead > 0) for chance, lead in told if lead)
    assert not chosen.filter(item__prompt=measuring).exists()


@pytest.mark.django_db
def test_caps_go_by_the_kinds_that_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch, prompts=8)
    scored.embed_as(monkeypatch, scored.anything)
    given: list[ResponsePool] = []

    def noted(pool: ResponsePool, *rest: object, **values: object) -> Selection:
        given.append(pool)
        return select_batch(pool, *rest, **values)

    monkeypatch.setitem(on_device.FUNCTIONS, "pairs", noted)
    batch = selecting.select(project=project, n=40, seed=1)
    kind = dict(zip(given[0].prompt_id.tolist(), given[0].kind.tolist(), strict=True))
    pairs = {(kind[str(pair.item.prompt_id)], pair.cluster) for pair in batch.pairs.select_related("item")}
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs}) == 2


@pytest.mark.slow
@pytest.mark.django_db
def test_the_first_model_ranks_anew_what_nobody_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    scored.embed_as(monkeypatch, scored.anything)
    selecting.select(project=project, n=20, seed=1)
    assert withdrawing.withdrawable(project, factories.ensemble(factories.run(project))).count() == 18


@pytest.mark.django_db
def test_imported_pairs_count_as_drawn_by_chance_until_texts_have_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = world(monkeypatch)
    selecting.select(project=project, n=3, seed=1)
    assert _first_scored_batch(project) is None
    scored.embed_as(monkeypatch, scored.anything)
    batch = selecting.select(project=project, n=3, seed=1)
    assert _first_scored_batch(project) == batch.created_at


@pytest.mark.django_db
def test_by_chance_alone_stays_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    policies.set_policy(project=project, recipe="random", random_share=1.0)
    scored.embed_as(monkeypatch, scored.anything)
    batch = selecting.select(project=project, n=5, seed=1)
    assert batch.strategy == SelectionBatch.BY_CHANCE
    assert set(batch.pairs.values_list("reason", flat=True)) == {"random"}


@pytest.mark.django_db
def test_the_pages_say_what_chose() -> None:
    project = make_cast().project
    for number, strategy in enumerate((SelectionBatch.BY_CHANCE, "cold start: regret"), start=1):
        SelectionBatch.objects.create(
            project=project, number=number, strategy=strategy, seed=1, candidates=9
        )  # fmt: skip
    client = browser(project.memberships.get(role="engineer").user)
    page = client.get(reverse("activelearning:batches", args=[project.slug])).content.decode()
    assert page.index("the texts (no model yet)") < page.index("chance (no model yet)")
    one = client.get(reverse("activelearning:batch", args=[project.slug, 2])).content.decode()
    assert "chosen by the texts: there was no model yet." in one


# --- where nothing is embedded -----------------------------------------------------------------------


@pytest.mark.django_db
def test_without_an_encoder_chance_chooses_and_the_batch_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    batch = selecting.select(project=project, n=5, seed=1)
    assert (batch.strategy, batch.by_texts, batch.survey) == (SelectionBatch.BY_CHANCE, False, None)
    assert "No model yet, and the responses could not be embedded: Tests start no encoder." in batch.notes
    assert set(batch.pairs.values_list("reason", flat=True)) == {"random"}


@pytest.mark.django_db
def test_what_takes_long_is_left_to_a_worker(
    monkeypatch: pytest.MonkeyPatch, woken: list[tuple[str, int]]
) -> None:
    project = world(monkeypatch)

    def late(*_: object, **__: object) -> None:
        raise embedding.EmbeddingTakesLong("Embedding takes longer than 20 seconds.")

    monkeypatch.setattr(embedding, "embed_responses", late)
    batch = selecting.select(project=project, n=5, seed=1)
    assert str(featuring.UNDER_WAY) in batch.notes
    assert woken == [(featuring.TASK, project.pk)]


@pytest.mark.django_db(transaction=True)
def test_nobody_embeds_what_a_worker_is_embedding(
    monkeypatch: pytest.MonkeyPatch, woken: list[tuple[str, int]]
) -> None:
    project = world(monkeypatch)
    calls = scored.embed_as(monkeypatch, scored.anything)
    with held(f"features/{project.pk}") as mine:
        assert mine
        (batch,) = at_once(lambda _: selecting.select(project=project, n=5, seed=1), range(1))
        assert at_once(lambda _: embed(project.pk), range(1)) == [False]
    assert str(featuring.UNDER_WAY) in batch.notes
    assert (calls, woken) == ([], [])
    assert embed(project.pk)
    assert len(calls) == 1


@pytest.mark.django_db
def test_a_worker_goes_on_until_all_is_embedded_or_it_is_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    outcomes = [embedding.EmbeddingTakesLong("late"), embedding.EmbeddingTakesLong("late"), None]

    def embedded(ids: list[int], *, seconds: float) -> None:
        assert len(ids) == 54
        if outcome := outcomes.pop(0):
            raise outcome

    monkeypatch.setattr(embedding, "embed_responses", embedded)
    assert embed(project.pk)
    assert outcomes == []
    featuring.stopping.set()
    try:
        assert not embed(project.pk)
    finally:
        featuring.stopping.clear()
    assert not embed(factories.project().pk)


@pytest.mark.django_db
def test_deployment_prompts_that_are_not_embedded_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    project = world(monkeypatch)
    scored.embed_as(monkeypatch, scored.anything)

    def fail(**values: object) -> None:
        assert values["embed"].keywords == {"seconds": 20.0}
        raise embedding.EmbeddingFailed("Embedding failed:\nno encoder")

    monkeypatch.setattr(aiming, "aim", fail)
    batch = selecting.select(project=project, n=5, seed=1)
    assert "Not aimed at the deployment prompts: no encoder" in batch.notes
    assert batch.by_texts


# --- all the way -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_the_bundled_encoder_tells_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five responses to each prompt four say the same; no pair of those is worth the first questions."""
    project = factories.project()
    LoopPolicy.objects.create(project=project, audit_pairs=0, random_share=0.0)
    scored.with_no_test_prompts(monkeypatch)
    odd = set()
    for text in ("Why is the sky blue?", "How do I boil an egg?", "Who wrote Faust?"):
        prompt = factories.prompt(project, text)
        for n in range(4):
            factories.response(prompt, "I would rather not answer that.", model=f"model {n}")
        odd.add(factories.response(prompt, f"Well: {text} Let me think about physics, eggs and Goethe!").pk)
    monkeypatch.setattr(embedding, "embed_responses", embed_responses)
    batch = selecting.select(project=project, n=6, seed=1)
    assert batch.strategy == "cold start: regret"
    assert all({pair.response_a_id, pair.response_b_id} & odd for pair in batch.pairs.all())

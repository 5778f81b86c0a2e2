"""Repeat or new: which judged pairs are asked about once more, and what keeps that from going on for ever."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from accounts.models import User
from activelearning.acquisition import wording
from activelearning.acquisition.candidates import candidate_pairs
from activelearning.models import SelectedPair, SelectionBatch
from activelearning.services import choosing, policies, repeating, selecting
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.standing import Standing
from annotation.models.work import Item
from annotation.services import aggregating, judging
from tests import factories
from tests.activelearning import scored, turns

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@dataclasses.dataclass
class World:
    project: Project
    people: list[User]

    def plan(self, n: int = 10, share: float = 0.5, prompt_effect: float | None = None) -> repeating.Plan:
        aggregating.refresh(project=self.project)
        pool, _ = choosing.pool_of(self.project, self.project.ensembles.get(), None)
        taken = choosing.taken_pairs(self.project)
        candidates = candidate_pairs(
            pool.response_id,
            pool.prompt_id,
            taken_a=[str(a) for a, _ in taken],
            taken_b=[str(b) for _, b in taken],
            rng=np.random.default_rng(0),
        )
        labelled = choosing._labelled(self.project, set(pool.prompt_id))
        return repeating.plan(
            project=self.project,
            pool=pool,
            candidates=candidates,
            labelled=labelled,
            n=n,
            share=share,
            rng=np.random.default_rng(0),
            prompt_effect=prompt_effect,
        )

    def select(self, n: int = 10) -> SelectionBatch:
        batch = selecting.select(project=self.project, n=n, seed=5)
        assert batch is not None
        return batch

    def vote(self, item: Item, choice: str) -> None:
        """By somebody who has not judged the item."""
        done = set(item.judgments.values_list("annotator", flat=True))
        factories.judgment(item, next(one for one in self.people if one.pk not in done), choice)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Three people, ten pairs with two votes that disagree, ten with two that agree, and eight new ones."""
    scored.same_ids()
    scored.score_by(monkeypatch, turns.quality)
    scored.with_no_test_prompts(monkeypatch)
    project = factories.project(overlap=2)
    policies.set_policy(project=project, audit_pairs=0, overlap_share=0.0, random_share=0.0, repeat_share=0.3)
    made = World(project, [factories.user() for _ in range(3)])
    for n in range(20):
        prompt = factories.prompt(project)
        item = factories.pair_item(project, pair=factories.responses(prompt))
        for voter, choice in ((n, "a"), (n + 1, "b" if n < 10 else "a")):
            factories.judgment(item, made.people[voter % 3], choice)
    for _ in range(8):
        factories.responses(factories.prompt(project))
    factories.ensemble(factories.run(project))
    return made


def test_votes_that_are_split_are_asked_about_and_said_so(world: World) -> None:
    found = world.plan().repeats
    assert 0 < len(found) <= 5
    split = set(SoftLabel.objects.filter(p_a=0.5).values_list("item_id", flat=True))
    said = {one.item in split: wording.plain(one.explanation) for one in found}
    assert said[True] == "The 2 people who voted disagree."
    assert said.get(False) != said[True]
    assert found[0].scores["value"] > found[0].scores["replaced"]


def test_another_vote_is_worth_less_where_every_prompt_has_a_part_of_its_own(world: World) -> None:
    """What the votes of a prompt have told is taken off what another one on the same pair tells."""
    plain, own = (world.plan(8, 0.5, variance).repeats for variance in (None, 1.0))
    assert 0 < len(own) < len(plain)
    assert max(one.scores["value"] for one in own) < min(one.scores["value"] for one in plain)


def test_never_more_than_the_share_of_a_batch(world: World) -> None:
    assert len(world.plan(n=10, share=0.2).repeats) <= 2
    assert world.plan(n=10, share=0.0) == repeating.Plan()
    assert world.plan(n=4, share=0.2) == repeating.Plan()


def test_repeats_are_part_of_the_batch_and_its_first_work(world: World) -> None:
    batch = world.select()
    again = batch.pairs.filter(reason="repeat")
    assert batch.pairs.count() == 10 == 7 + again.count()
    assert 0 < again.count() <= 3
    for pair in again.select_related("item"):
        assert (pair.item.slots_left, pair.item.overlap, pair.item.priority) == (1, 3, batch.number)
        assert pair.explanation
        assert pair.scores["effective"] == 2.0
    scored.assert_said_in_parts(batch)


@pytest.mark.slow
def test_what_waits_for_its_vote_is_not_asked_about_again(world: World) -> None:
    first = set(world.select().pairs.filter(reason="repeat").values_list("item", flat=True))
    second = set(world.select().pairs.filter(reason="repeat").values_list("item", flat=True))
    assert first
    assert not first & second


@pytest.mark.slow
def test_it_ends_when_everybody_has_answered(world: World) -> None:
    for _ in range(30):
        batch = selecting.select(project=world.project, n=10)
        if batch is None or not batch.pairs.filter(reason="repeat").exists():
            break
        for pair in batch.pairs.select_related("item"):
            while pair.item.slots_left:
                world.vote(pair.item, "ab"[pair.item.judgments.count() % 2])
                pair.item.refresh_from_db()
    else:
        raise AssertionError("It goes on for ever.")
    assert max(item.judgments.count() for item in world.project.items.all()) == len(world.people)


def test_one_person_alone_has_no_second_opinion(world: World) -> None:
    for person in world.people[1:]:
        standing = {"state": "excluded", "changed_at": world.project.created_at}
        Standing.objects.create(project=world.project, annotator=person, **standing)
    assert world.plan() == repeating.Plan()


@pytest.mark.parametrize("why", ["open", "gold", "audit", "expert"])
def test_what_is_open_gold_audited_or_decided_is_left_alone(world: World, why: str) -> None:
    item = Item.objects.get(pk=world.plan().repeats[0].item)
    if why == "open":
        Item.objects.filter(pk=item.pk).update(slots_left=1)
    elif why == "gold":
        Item.objects.filter(pk=item.pk).update(origin="gold")
    elif why == "audit":
        world.project.prompts.filter(pk=item.prompt_id).update(audit=True)
    else:
        held = factories.assignment(item, factories.user())
        judging.submit(
            assignment_id=held.pk,
            annotator=held.annotator,
            answers=judging.pairwise(world.project, "a"),
            idempotency_key="expert",
            source="expert",
        )
    assert item.pk not in {one.item for one in world.plan().repeats}


def test_a_repeat_that_told_nothing_comes_after_the_others(world: World) -> None:
    pair = world.select().pairs.filter(reason="repeat").first()
    before = {**pair.scores, "effective": 1.0}
    aggregating.refresh(project=world.project)
    label = SoftLabel.objects.get(item=pair.item)
    SelectedPair.objects.filter(pk=pair.pk).update(scores={**before, "share": label.p_a})
    change = repeating._votes(world.project, 0, [label]).last_change
    assert 0 <= change[0] < 0.05  # the share is as it was, only surer
    untold = repeating._votes(world.project, 0, list(SoftLabel.objects.exclude(pk=label.pk))).last_change
    assert np.isnan(untold).sum() >= 17


def test_some_new_pairs_get_one_vote_more_for_quality(world: World) -> None:
    policies.set_policy(project=world.project, overlap_share=0.5, repeat_share=0.0)
    batch = world.select(n=8)
    more = batch.pairs.filter(item__overlap=3)
    assert more.count() == 4
    assert batch.config["overlap"]["propensity"] == 0.5
    assert sorted(more.values_list("rank", flat=True)) == batch.config["overlap"]["ranks"]
    assert not batch.pairs.exclude(pk__in=more).filter(item__overlap__isnull=False).exists()

"""Whatever several people do, in whatever order: the invariants of the work hold after every step."""

import random
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.qualification_selectors import may_work
from annotation.services import assigning, drafting, items, judging, projects
from tests.annotation.work_world import World
from tests.annotation.working import let_lease_run_out

WHO = st.integers(0, 3)
WHICH = st.integers(0, 1_000)


class People(RuleBasedStateMachine):
    """Four people in one project. A number that is drawn picks among what there is at that moment."""

    @initialize(
        kind=st.sampled_from(["pairwise", "ranking", "rating"]),
        overlap=st.integers(1, 3),
        items=st.integers(1, 5),
        gold=st.integers(0, 2),
        criteria=st.integers(1, 3),
        repeat=st.sampled_from([0.0, 0.5]),
    )
    def begin(self, kind: str, overlap: int, items: int, gold: int, criteria: int, repeat: float) -> None:
        self.world = World(kind, overlap, items, gold, criteria)
        self.set_rules(gold=0.5, repeat=repeat, qualification=False)
        self.sent: list[tuple[dict[str, Any], Judgment]] = []
        self.keys = 0
        for who in range(4):
            self.look_at_the_page(who, ahead=who % 2 == 0, seed=who)

    # --- getting work -----------------------------------------------------------------------------

    @rule(who=WHO, ahead=st.booleans(), seed=WHICH)
    def look_at_the_page(self, who: int, ahead: bool, seed: int) -> None:
        world, person = self.world, self.world.people[who]
        project = Project.objects.get(pk=world.project.pk)
        allowed = project.state == "running" and may_work(project, person)
        held = {one.pk for one in world.assignments(person) if one.state == "open"}
        could = world.open_to(person)
        overdue = any(one.state == "open" for one in world.assignments() if self._overdue(one))
        take_over = world.could_take_over(person)
        work = assigning.hand_out(project=project, annotator=person, rng=random.Random(seed), ahead=ahead)
        if work.current is None:
            assert not held
            assert not allowed or not (world.open_to(person) or world.could_take_over(person))
        given = [one for one in (work.current, work.ahead) if one is not None]
        assert len({one.pk for one in given}) == len(given)
        for one in given:
            assert (one.state, one.annotator_id) == ("open", person.pk)
            if one.pk in held or one.repeat:
                continue
            assert allowed, "new work although the project does not run or wants a qualification"
            assert overdue or one.item_id in could or one.item_id in take_over
        fresh = [one for one in given if one.pk not in held and one.item_id in could and not one.repeat]
        work_items = [item for item in could.values() if not item.is_gold]
        if fresh and not overdue and not fresh[0].item.is_gold:
            assert fresh[0].item.priority == max(item.priority for item in work_items)
        self._a_reload_shows_the_same(project, who, work, seed + 1)

    def _a_reload_shows_the_same(self, project: Project, who: int, work: assigning.Work, seed: int) -> None:
        if work.current is None:
            return
        again = assigning.hand_out(
            project=project,
            annotator=self.world.people[who],
            rng=random.Random(seed),
            ahead=work.ahead is not None,
        )
        assert (again.current, again.ahead) == (work.current, work.ahead)

    @rule(which=WHICH)
    def run_out(self, which: int) -> None:
        opened = [one for one in self.world.assignments() if one.state == "open"]
        if opened:
            let_lease_run_out(opened[which % len(opened)])

    @rule()
    def expire(self) -> None:
        assigning.expire_leases(project=self.world.project)
        assert not any(one.state == "open" and self._overdue(one) for one in self.world.assignments())

    # --- answering --------------------------------------------------------------------------------

    @rule(which=WHICH, seed=WHICH)
    def answer(self, which: int, seed: int) -> None:
        """Anything unanswered: on the screen, waiting, run out, skipped, whatever the project's state."""
        mine = [one for one in self.world.assignments() if one.state != "done"]
        if not mine:
            return
        one = mine[which % len(mine)]
        if one.state == "expired":
            self.world.late.add((one.annotator_id, one.item.response_set))
        submission = self._send(one, seed)
        assert submission.created
        assert submission.judgment.live != one.repeat
        assert judging.standing_answer(Assignment.objects.get(pk=one.pk)) == submission.judgment

    @rule(who=WHO, answers=st.integers(1, 5), ahead=st.booleans(), seed=WHICH)
    def work_for_a_while(self, who: int, answers: int, ahead: bool, seed: int) -> None:
        for turn in range(answers):
            self.look_at_the_page(who, ahead, seed + turn)
            shown = [one for one in self.world.assignments(self.world.people[who]) if one.state == "open"]
            if not shown:
                return
            assert self._send(min(shown, key=lambda one: one.shown_at is None), seed + turn).created
            self.world.check()

    @rule(which=WHICH, seed=WHICH)
    def answer_too_late(self, which: int, seed: int) -> None:
        """The lease has run out and everybody else has looked for work before the answer comes."""
        opened = [one for one in self.world.assignments() if one.state == "open"]
        if not opened:
            return
        one = opened[which % len(opened)]
        let_lease_run_out(one)
        assigning.expire_leases(project=self.world.project)
        for other in self.world.people:
            if other.pk != one.annotator_id:
                assigning.hand_out(project=self.world.project, annotator=other, rng=random.Random(seed))
        self.world.check()
        self.world.late.add((one.annotator_id, one.item.response_set))
        assert self._send(one, seed).created

    @rule(which=WHICH)
    @precondition(lambda self: self.sent)
    def send_again(self, which: int) -> None:
        fields, stored = self.sent[which % len(self.sent)]
        again = judging.submit(**fields)
        assert (again.judgment, again.created) == (stored, False)

    @rule(which=WHICH)
    @precondition(lambda self: self.sent)
    def send_again_with_other_content(self, which: int) -> None:
        fields, stored = self.sent[which % len(self.sent)]
        with pytest.raises(judging.Conflict) as refused:
            judging.submit(**{**fields, "comment": f"{fields['comment']} and more"})
        assert refused.value.stored == stored

    @rule(which=WHICH, seed=WHICH)
    def answer_from_a_stale_tab(self, which: int, seed: int) -> None:
        done = [one for one in self.world.assignments() if one.state == "done"]
        if done:
            one = done[which % len(done)]
            standing = judging.standing_answer(one)
            with pytest.raises(judging.Conflict) as refused:
                self._send(one, seed, comment="never said before")
            assert refused.value.stored == standing

    @rule(who=WHO, seed=WHICH)
    def change_the_last_answer(self, who: int, seed: int) -> None:
        last = judging.last_answered(project=self.world.project, annotator=self.world.people[who])
        if last is None:
            return
        seen = judging.standing_answer(last)
        assert seen is not None
        changed = self._send(last, seed, comment=f"changed {self.keys}", replaces=seen.pk)
        assert changed.judgment.supersedes == seen
        seen.refresh_from_db()
        assert not seen.live

    @rule(which=WHICH, reason=st.sampled_from(["", "odd"]), leave=st.sampled_from(["skip", "flag"]))
    def leave(self, which: int, reason: str, leave: str) -> None:
        mine = self.world.assignments()
        if not mine:
            return
        one = mine[which % len(mine)]
        words = {"reason": reason} if leave == "skip" else {"note": reason}
        left = getattr(assigning, leave)(assignment_id=one.pk, annotator=one.annotator, **words)
        one.refresh_from_db()
        assert left == (one.state != "done")
        assert not left or not Judgment.objects.filter(assignment=one, live=True).exists()

    @rule(which=WHICH, text=st.sampled_from(["", "half a thought", "a whole one"]), seen=st.integers(0, 3))
    def draft(self, which: int, text: str, seen: int) -> None:
        mine = self.world.assignments()
        if not mine:
            return
        one = mine[which % len(mine)]
        before, standing = drafting.draft_of(one), judging.standing_answer(one)
        body = {"comment": [text]}
        fields = {"assignment_id": one.pk, "annotator": one.annotator, "body": body, "seen": seen}
        if standing is not None:
            with pytest.raises(drafting.AlreadyAnswered):
                drafting.save(**fields)
            fields["replaces"] = standing.pk
        if before is not None and before.body != body and before.version != seen:
            with pytest.raises(drafting.StaleDraft) as stale:
                drafting.save(**fields)
            assert stale.value.stored.body == before.body
        else:
            assert drafting.save(**fields).body == body

    # --- what managers do -------------------------------------------------------------------------

    @rule(state=st.sampled_from(["running", "running", "paused", "closed"]))
    def set_state(self, state: str) -> None:
        projects.set_state(project=self.world.project, state=state)

    @rule(overlap=st.integers(1, 4))
    def set_overlap(self, overlap: int) -> None:
        projects.edit(project=self.world.project, changes={"overlap": overlap})

    @rule(which=WHICH, votes=st.integers(1, 2), most=st.integers(1, 6))
    def ask_again(self, which: int, votes: int, most: int) -> None:
        project = self.world.project
        work = list(project.items.filter(is_gold=False).order_by("pk").values_list("pk", flat=True))
        some = work[which % len(work) :]
        asked = {"project": project, "items": some, "votes": votes, "most": most, "priority": which % 4}
        before = dict(project.items.values_list("pk", "slots_left"))
        raised = items.ask_again(**asked)
        after = dict(project.items.values_list("pk", "slots_left"))
        assert {pk for pk, left in after.items() if left != before[pk]} == set(raised)
        assert all(before[pk] < after[pk] <= votes for pk in raised)
        assert items.ask_again(**asked) == []

    @rule(
        gold=st.sampled_from([0.0, 0.5, 1.0]),
        repeat=st.sampled_from([0.0, 0.5]),
        qualification=st.sampled_from([False, False, True]),
    )
    def set_rules(self, gold: float, repeat: float, qualification: bool) -> None:
        changes = {"gold_rate": gold, "repeat_rate": repeat, "qualification_required": qualification}
        Project.objects.filter(pk=self.world.project.pk).update(**changes)
        self.world.project.refresh_from_db()

    @rule(which=WHICH, what=st.sampled_from(["item", "gold twin", "vote", "practice", "priority"]), who=WHO)
    def content_comes_in(self, which: int, what: str, who: int) -> None:
        world = self.world
        items = list(world.project.items.filter(is_gold=False).order_by("pk"))
        item = items[which % len(items)]
        if what == "item":
            world.add_item(priority=which % 3)
        elif what == "gold twin":
            world.add_gold_twin(item)
        elif what == "vote":
            world.import_a_vote(item, f"import-{world.project.pk}-{self._next()}")
        elif what == "practice":
            world.practise(world.people[who], item)
        else:
            world.project.items.filter(pk=item.pk).update(priority=which % 4)

    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    # --- in few words -----------------------------------------------------------------------------

    def _send(
        self, one: Assignment, seed: int, *, comment: str = "", replaces: int | None = None
    ) -> judging.Submission:
        fields = {
            "assignment_id": one.pk,
            "annotator": one.annotator,
            "answers": self.world.answers(one, random.Random(seed)),
            "comment": comment,
            "replaces": replaces,
            "idempotency_key": f"{self.world.project.pk}-{self._next()}",
        }
        submission = judging.submit(**fields)
        self.sent.append((fields, submission.judgment))
        return submission

    def _next(self) -> int:
        self.keys += 1
        return self.keys

    @staticmethod
    def _overdue(one: Assignment) -> bool:
        return one.lease_expires_at < timezone.now()


def _run(monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> None:
    monkeypatch.setattr(assigning, "REPEAT_DISTANCE", 0)
    run_state_machine_as_test(
        People,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
@pytest.mark.slow
def test_the_invariants_hold_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    _run(monkeypatch, examples=4, steps=30)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_invariants_hold_after_very_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    _run(monkeypatch, examples=60, steps=50)

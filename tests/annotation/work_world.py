"""A small project with a few people who do anything in any order, and an account of what must hold.

The account is kept in plain Python, apart from the SQL it checks.
"""

import random

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import User
from annotation.answering.answer import Answer
from annotation.models.learning import Attempt, Exercise, PracticeAnswer
from annotation.models.work import Assignment, Item, Judgment
from annotation.services import slots
from tests import factories

ENDED = ("expired",)
GROWING = (
    "annotation_item, annotation_itemresponse, annotation_response, annotation_prompt, annotation_project, "
    "annotation_assignment, annotation_judgment, annotation_answer, annotation_draft, accounts_user"
)
SIZES = {"pairwise": 2, "ranking": 3, "rating": 1}


def _let_the_planner_know() -> None:
    """A test is one transaction, so autovacuum sees none of its rows, and one that came after a test before
    this has the planner believe that the tables are empty: some joins then take minutes.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {GROWING}")


class World:
    def __init__(self, kind: str, overlap: int, items: int, gold: int, criteria: int) -> None:
        names = ["overall", "honesty", "tone"][:criteria]
        self.project = factories.project(
            kind=kind, overlap=overlap, criteria=[{"name": name, "description": ""} for name in names]
        )
        self.people = [factories.user() for _ in range(4)]
        for number in range(items):
            self.add_item(priority=number % 3)
        for item in list(self.project.items.filter(is_gold=False).order_by("pk")[:gold]):
            self.add_gold_twin(item)
        self.judged: set[int] = set()
        self.orders: dict[int, list[int]] = {}
        self.holds: dict[int, int] = {}
        self.late: set[tuple[int, str]] = set()  # (person, responses): an answer came after the hold had gone
        _let_the_planner_know()

    # --- what is there ----------------------------------------------------------------------------

    def add_item(self, priority: int) -> Item:
        on = factories.prompt(self.project)
        pair = [factories.response(on) for _ in range(SIZES[self.project.kind])]
        return factories.pair_item(self.project, on=on, pair=pair, priority=priority)

    def add_gold_twin(self, of: Item) -> None:
        """The same responses once more, as gold; once only."""
        if self.project.items.filter(response_set=of.response_set, is_gold=True).exists():
            return
        pair = [row.response for row in of.item_responses.order_by("position")]
        factories.pair_item(
            self.project, on=of.prompt, pair=pair, origin=Item.Origin.GOLD, slots_left=slots.GOLD_SLOTS
        )

    def practise(self, person: User, item: Item) -> None:
        exercise = Exercise.objects.create(project=self.project, kind=Exercise.Kind.CALIBRATION, name="Round")
        attempt = Attempt.objects.create(exercise=exercise, annotator=person, number=1)
        PracticeAnswer.objects.create(attempt=attempt, annotator=person, item=item, display_order=[0])

    def import_a_vote(self, item: Item, key: str) -> None:
        """What the import does to an item it knows, in two lines."""
        Judgment.objects.create(
            item=item,
            annotator=factories.user(),
            idempotency_key=key,
            body_hash="",
            source="imported",
            judged_at=timezone.now(),
        )
        slots.recount_slots([item.pk])

    def answers(self, assignment: Assignment, rng: random.Random) -> list[Answer]:
        size, question = len(assignment.display_order), self.project.question
        found = []
        for criterion in question.criteria:
            if question.kind == "pairwise":
                found.append(Answer(criterion, choice=rng.choice(["a", "b", "tie", "both_bad"])))
            elif question.kind == "ranking":
                found.append(Answer(criterion, ranks=tuple(rng.randint(1, size) for _ in range(size))))
            else:
                found.append(Answer(criterion, ratings=tuple(rng.randint(1, 5) for _ in range(size))))
        return found

    # --- the account ------------------------------------------------------------------------------

    def assignments(self, person: User | None = None) -> list[Assignment]:
        found = Assignment.objects.filter(project=self.project).select_related("item", "project", "annotator")
        return list((found.filter(annotator=person) if person else found).order_by("pk"))

    def new_to(self, person: User) -> dict[int, Item]:
        """The items this person, and nobody by this name elsewhere, has met in no form.

        A hold that ran out is forgotten, but for the item's twin: a late answer to one would meet the other.
        """
        holds = self.assignments(person)
        ran_out = [held.item for held in holds if held.state in ENDED]
        met = {held.item.response_set for held in holds if held.state not in ENDED}
        for table in (Judgment.objects.filter(live=True), PracticeAnswer.objects.all()):
            rows = table.filter(annotator=person, item__project=self.project)
            met |= set(rows.values_list("item__response_set", flat=True))
        return {
            item.pk: item
            for item in self.project.items.all()
            if item.response_set not in met
            and not any(one.pk != item.pk and one.response_set == item.response_set for one in ran_out)
        }

    def open_to(self, person: User) -> dict[int, Item]:
        return {pk: item for pk, item in self.new_to(person).items() if item.slots_left > 0}

    def could_take_over(self, person: User) -> set[int]:
        new = self.new_to(person)
        return {
            held.item_id
            for held in self.assignments()
            if held.state == "open" and held.shown_at is None and not held.repeat
            and held.annotator_id != person.pk and held.item_id in new
        }  # fmt: skip

    def check(self) -> None:
        assert slots.wrong_slots(self.project) == []
        assert not self.project.items.filter(slots_left__lt=0).exists()
        self._check_holds()
        self._check_judgments()
        for person in self.people:
            self._check_person(person)

    def _check_holds(self) -> None:
        """No item gains a holder beyond its overlap; one whose overlap was lowered keeps those it has."""
        self.project.refresh_from_db()
        holding = Q(assignments__state__in=["open", "done"], assignments__surplus=False)
        work = self.project.items.filter(is_gold=False).annotate(n=Count("assignments", filter=holding))
        for item in work:
            most = max(item.overlap or self.project.overlap, self.holds.get(item.pk, 0))
            assert item.n <= most, f"item {item.pk} has {item.n} holders"
        self.holds = {item.pk: item.n for item in work}

    def _check_judgments(self) -> None:
        rows = Judgment.objects.filter(item__project=self.project)
        now = set(rows.values_list("pk", flat=True))
        assert self.judged <= now, "a judgment has gone"
        self.judged = now
        live = rows.filter(live=True)
        assert not live.values("item", "annotator").annotate(n=Count("pk")).filter(n__gt=1).exists()
        assert not live.filter(repeat=True).exists()
        done = {held.pk for held in self.assignments() if held.state == "done" and not held.repeat}
        assert done == set(live.exclude(source="imported").values_list("assignment", flat=True))
        assert not rows.filter(annotator__in=self.people).exclude(
            item__is_gold=False
        ).filter(repeat=True).exists(), "gold is met once"  # fmt: skip

    def _check_person(self, person: User) -> None:
        mine = self.assignments(person)
        opened = [held for held in mine if held.state == "open"]
        assert sum(held.shown_at is not None for held in opened) <= 1
        assert sum(held.shown_at is None for held in opened) <= 1
        met = [held.item.response_set for held in mine if held.state not in ENDED and not held.repeat]
        twice = {responses for responses in met if met.count(responses) > 1}
        assert all((person.pk, responses) in self.late for responses in twice), "an item and its twin"
        for held in mine:
            assert self.orders.setdefault(held.pk, held.display_order) == held.display_order

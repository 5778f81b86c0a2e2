"""Reads about exercises: where a person stands in each, what is next, what the expert said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from accounts.models import Membership, Role, User
from annotation.answering.answer import Answer
from annotation.answering.credit import credit
from annotation.models.learning import Attempt, Exercise, PracticeAnswer, Waiver
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Item

_ORDER = {Exercise.Kind.CALIBRATION: 0, Exercise.Kind.QUALIFICATION: 1, Exercise.Kind.SESSION: 2}


class Stage(StrEnum):
    NOT_STARTED = "not started"
    IN_PROGRESS = "in progress"
    FINISHED = "finished"  # a round or a session: there is nothing to pass
    PASSED = "passed"
    FAILED = "failed"  # another attempt is left, from `again_at` on
    EXHAUSTED = "exhausted"  # no attempt is left; a manager may give one


@dataclass(frozen=True)
class Standing:
    """Where one person stands in one exercise. attempts_left: None where there is no limit."""

    exercise: Exercise
    stage: Stage
    total: int
    answered: int = 0
    attempt: Attempt | None = None  # the open one, else the one that counts: passed, else the last
    again_at: datetime | None = None
    attempts_left: int | None = None

    @property
    def may_start(self) -> bool:
        """Whether a new attempt may begin now."""
        if self.exercise.state != Exercise.State.OPEN:
            return False
        if self.stage == Stage.NOT_STARTED:
            return True
        if self.stage == Stage.FINISHED:
            return self.exercise.kind == Exercise.Kind.CALIBRATION
        return self.stage == Stage.FAILED and (self.again_at is None or self.again_at <= timezone.now())

    @property
    def may_go_on(self) -> bool:
        return self.stage == Stage.IN_PROGRESS and self.exercise.state == Exercise.State.OPEN

    @property
    def waiting(self) -> bool:
        """Failed, and the next attempt is not open yet."""
        return self.stage == Stage.FAILED and not self.may_start

    @property
    def done(self) -> bool:
        return self.stage in (Stage.FINISHED, Stage.PASSED)


def standing(exercise: Exercise, attempts: Sequence[Attempt], *, total: int, answered: int) -> Standing:
    """`attempts`: this person's at this exercise, by number; `answered`: items answered in the open one."""
    limited = exercise.kind == Exercise.Kind.QUALIFICATION and exercise.attempts > 0
    left = max(0, exercise.attempts - len(attempts)) if limited else None
    if not attempts:
        return Standing(exercise, Stage.NOT_STARTED, total, attempts_left=left)
    last = attempts[-1]
    if last.finished_at is None:
        return Standing(exercise, Stage.IN_PROGRESS, total, answered, last, attempts_left=left)
    if exercise.kind != Exercise.Kind.QUALIFICATION:
        return Standing(exercise, Stage.FINISHED, total, total, last)
    passed = next((one for one in attempts if one.passed), None)
    if passed is not None:
        return Standing(exercise, Stage.PASSED, total, total, passed)
    if left == 0:
        return Standing(exercise, Stage.EXHAUSTED, total, total, last, attempts_left=0)
    again_at = last.finished_at + timedelta(hours=exercise.cooldown_hours)
    return Standing(exercise, Stage.FAILED, total, total, last, again_at, left)


def standing_of(exercise: Exercise, annotator: User) -> Standing:
    attempts = list(Attempt.objects.filter(exercise=exercise, annotator=annotator).order_by("number"))
    open_one = next((one for one in attempts if one.finished_at is None), None)
    answered = open_one.answers.filter(answered_at__isnull=False).count() if open_one else 0
    total = open_one.answers.count() if open_one else exercise.exercise_items.count()
    return standing(exercise, attempts, total=total, answered=answered)


def standings(project: Project, annotator: User) -> list[Standing]:
    """Open exercises, and closed ones in which this person did something; rounds, then test, then sessions.

    Four queries however many exercises there are.
    """
    exercises = (
        Exercise.objects.filter(project=project)
        .filter(
            Q(state=Exercise.State.OPEN)
            | Q(
                state=Exercise.State.CLOSED,
                pk__in=Attempt.objects.filter(annotator=annotator).values("exercise"),
            )
        )
        .annotate(size=Count("exercise_items"))
    )
    made: dict[int, list[Attempt]] = {}
    answered: dict[int, int] = {}
    for attempt in (
        Attempt.objects.filter(exercise__project=project, annotator=annotator)
        .annotate(done=Count("answers", filter=Q(answers__answered_at__isnull=False)))
        .order_by("number")
    ):
        made.setdefault(attempt.exercise_id, []).append(attempt)
        answered[attempt.exercise_id] = attempt.done
    found = [
        standing(one, made.get(one.pk, []), total=one.size, answered=answered.get(one.pk, 0))
        for one in exercises
    ]
    return sorted(found, key=lambda one: (_ORDER[Exercise.Kind(one.exercise.kind)], one.exercise.pk))


def has_exercises(project: Project) -> bool:
    """Whether there is anything to learn here: an open exercise, or a qualification that is asked for."""
    return project.qualification_required or (
        Exercise.objects.filter(project=project, state=Exercise.State.OPEN).exists()
    )


def exercise_for(project: Project, exercise_id: int) -> Exercise:
    """The project's exercise, or Http404."""
    exercise = Exercise.objects.select_related("project").filter(project=project, pk=exercise_id).first()
    if exercise is None:
        raise Http404("No such exercise.")
    return exercise


def exercise_to_do(project: Project, exercise_id: int, annotator: User) -> Exercise:
    """The exercise if it is open, or this person took part in it; else Http404."""
    exercise = exercise_for(project, exercise_id)
    took_part = Attempt.objects.filter(exercise=exercise, annotator=annotator)
    if exercise.state != Exercise.State.OPEN and not took_part.exists():
        raise Http404("No such exercise.")
    return exercise


def answers_of(attempt: Attempt) -> list[PracticeAnswer]:
    """The attempt's items with answers, in the order they are asked."""
    gold = Prefetch("item__gold_answers", queryset=GoldAnswer.objects.order_by("pk"))
    rows = attempt.answers.select_related("item__prompt").prefetch_related(gold).order_by("pk")
    return list(rows)


def expert_answers(item: Item) -> dict[str, Answer]:
    """The expert's answers by criterion, in canonical terms."""
    return {gold.criterion: expert_answer(gold) for gold in item.gold_answers.all()}


def expert_answer(gold: GoldAnswer) -> Answer:
    return Answer(
        gold.criterion,
        choice=gold.choice,
        ranks=tuple(gold.ranks) if gold.ranks is not None else None,
        ratings=tuple(gold.ratings) if gold.ratings is not None else None,
    )


def given_answers(row: PracticeAnswer) -> dict[str, Answer]:
    """What the person answered by criterion, in canonical terms."""
    return {body["criterion"]: Answer.from_json(body) for body in row.answers or ()}


def credits_by_criterion(given: Mapping[str, Answer], expert: Mapping[str, Answer]) -> dict[str, float]:
    """0 to 1 under each criterion that both answered."""
    return {name: credit(given[name], expert[name]) for name in expert if name in given}


@dataclass(frozen=True)
class CriterionScore:
    criterion: str
    score: float
    items: int


def criterion_scores(rows: Sequence[PracticeAnswer], criteria: Sequence[str]) -> list[CriterionScore]:
    """Mean credit under each criterion over the items that have an expert's answer there."""
    found: dict[str, list[float]] = {name: [] for name in criteria}
    for row in rows:
        for name, value in credits_by_criterion(given_answers(row), expert_answers(row.item)).items():
            if name in found:
                found[name].append(value)
    return [
        CriterionScore(name, sum(values) / len(values), len(values))
        for name, values in found.items()
        if values
    ]


# --- for managers ---------------------------------------------------------------------------------


def exercises_of(project: Project) -> QuerySet[Exercise]:
    """With `size`, `people` who started, `finished` attempts and `passed` people, in one query."""
    return (
        Exercise.objects.filter(project=project)
        .annotate(
            size=Count("exercise_items", distinct=True),
            people=Count("attempts_made__annotator", distinct=True),
            finished=Count(
                "attempts_made", distinct=True, filter=Q(attempts_made__finished_at__isnull=False)
            ),
            passed=Count("attempts_made__annotator", distinct=True, filter=Q(attempts_made__passed=True)),
        )
        .order_by("-state", "pk")  # open, draft, closed
    )


def results(exercise: Exercise) -> list[Attempt]:
    """Every attempt by name and number: items answered (`done`) and `asked`, whether it is their `latest`."""
    after = Attempt.objects.filter(
        exercise=exercise, annotator=OuterRef("annotator"), number__gt=OuterRef("number")
    )
    return list(
        Attempt.objects.filter(exercise=exercise)
        .select_related("annotator")
        .annotate(latest=~Exists(after))
        .annotate(done=Count("answers", filter=Q(answers__answered_at__isnull=False)), asked=Count("answers"))
        .order_by("annotator__username", "number")
    )


@dataclass(frozen=True)
class Person:
    """One annotator of a project, and what opens the work to them; neither: they may not work yet."""

    user: User
    passed: Attempt | None
    waiver: Waiver | None


def people(project: Project) -> list[Person]:
    """The project's annotators (nobody else needs a qualification), by name."""
    members = Membership.objects.filter(project=project, role=Role.ANNOTATOR, user__is_active=True)
    waivers = {
        one.annotator_id: one for one in Waiver.objects.filter(project=project).select_related("granted_by")
    }
    passed = {
        one.annotator_id: one
        for one in Attempt.objects.filter(
            exercise__project=project, exercise__kind=Exercise.Kind.QUALIFICATION, passed=True
        ).select_related("exercise")
    }
    return [
        Person(one.user, passed.get(one.user_id), waivers.get(one.user_id))
        for one in members.select_related("user").order_by("user__username")
    ]


def choosable(exercise: Exercise) -> QuerySet[Item]:
    """Items that may be put into it: with an expert's answer for a round or a test, any for a session."""
    items = exercise.project.items.exclude(exercise_items__exercise=exercise)
    if exercise.kind == Exercise.Kind.SESSION:
        return items
    return items.filter(
        retired_at__isnull=True,
        pk__in=GoldAnswer.objects.filter(item__project=exercise.project).values("item"),
    )


def search_items(exercise: Exercise, words: str, *, limit: int) -> list[Item]:
    """Choosable items whose prompt holds the words, or whose number or given id they are; newest first."""
    items = choosable(exercise).select_related("prompt")
    if words:
        by_id = Q(external_id__iexact=words)
        if words.isascii() and words.isdigit() and len(words) < 19:
            by_id |= Q(pk=int(words))
        items = items.filter(by_id | Q(prompt__messages__icontains=words))
    return list(items.order_by("-pk")[:limit])

"""Exercises for tests, and people who do them."""

import random
from collections.abc import Sequence

from accounts.models import User
from annotation.answering.answer import Answer, to_display
from annotation.learning_selectors import answers_of, expert_answers
from annotation.models.learning import Attempt, Exercise, ExerciseItem, PracticeAnswer
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Item, ItemResponse
from annotation.services import learning
from tests import factories


def exercise(
    of: Project,
    items: Sequence[Item] = (),
    *,
    kind: str = Exercise.Kind.QUALIFICATION,
    state: str = Exercise.State.OPEN,
    **fields: object,
) -> Exercise:
    """An exercise with these items, or three gold ones whose right answer is A."""
    made = Exercise.objects.create(
        project=of, kind=kind, state=state, **{"name": f"{kind} of {of.name}", **fields}
    )
    for position, item in enumerate(items or [factories.gold_item(of) for _ in range(3)]):
        ExerciseItem.objects.create(exercise=made, item=item, position=position)
    return made


def item_with(of: Project, responses: int, gold: dict[str, Answer] | None = None) -> Item:
    """An item with so many responses, and the expert's answers by criterion."""
    item = factories.pair_item(of, origin=Item.Origin.GOLD if gold else Item.Origin.IMPORTED)
    for position in range(2, responses):
        extra = factories.response(item.prompt)
        ItemResponse.objects.create(item=item, response=extra, position=position)
    for criterion, answer in (gold or {}).items():
        GoldAnswer.objects.create(
            item=item,
            criterion=criterion,
            choice=answer.choice,
            ranks=list(answer.ranks) if answer.ranks else None,
            ratings=list(answer.ratings) if answer.ratings else None,
            reason="Because it is so.",
        )
    return item


def do(row: PracticeAnswer, *canonical: Answer) -> learning.Answered:
    """Answer one item; the answers are canonical, as nobody's screen shows them."""
    shown = [to_display(answer, row.display_order) for answer in canonical]
    return learning.answer(attempt=row.attempt, item_id=row.item_id, answers=shown)


def start(of: Exercise, annotator: User, seed: int = 1) -> Attempt:
    return learning.start(exercise=of, annotator=annotator, rng=random.Random(seed))


def take(of: Exercise, annotator: User, *, right: int) -> Attempt:
    """A whole attempt at pairs: the first `right` items as the expert, the rest otherwise."""
    attempt = start(of, annotator)
    for number, row in enumerate(answers_of(attempt)):
        answers = expert_answers(row.item).values()
        wrong = [Answer(each.criterion, "b" if each.choice == "a" else "a") for each in answers]
        do(row, *(answers if number < right else wrong))
    attempt.refresh_from_db()
    return attempt


def take_session(of: Exercise, annotator: User, choice: str = "a") -> Attempt:
    """A whole session of pairs, always with the same answer."""
    attempt = start(of, annotator)
    for row in answers_of(attempt):
        do(row, *(Answer(name, choice) for name in of.project.criterion_names))
    return attempt

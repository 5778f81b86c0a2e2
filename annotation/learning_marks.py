"""An answer beside the expert's, criterion by criterion, as the screen told it."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation.answer_words import one_in_words
from annotation.answering.answer import to_display
from annotation.answering.credit import RIGHT, credit
from annotation.learning_selectors import expert_answer, given_answers
from annotation.models.learning import PracticeAnswer


@dataclass(frozen=True)
class Mark:
    """credit: 0 to 1; None where the expert gave no answer under this criterion."""

    criterion: str
    given: str
    expert: str
    reason: str
    credit: float | None

    @property
    def right(self) -> bool:
        return self.credit is not None and self.credit >= RIGHT


def marks_of(row: PracticeAnswer, criteria: Sequence[str]) -> list[Mark]:
    """In display terms: A is what stood first on this person's screen."""
    given = given_answers(row)
    gold = {one.criterion: one for one in row.item.gold_answers.all()}
    found = []
    for name in criteria:
        if name not in given:
            continue
        expert = expert_answer(gold[name]) if name in gold else None
        found.append(
            Mark(
                criterion=name,
                given=one_in_words(to_display(given[name], row.display_order)),
                expert=one_in_words(to_display(expert, row.display_order)) if expert else "",
                reason=gold[name].reason if name in gold else "",
                credit=credit(given[name], expert) if expert else None,
            )
        )
    return found

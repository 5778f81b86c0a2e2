"""An answer in words, as its annotator's screen told it: “A is better”, “B > A = C”, “A 4, B 2”."""

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.answering.answer import Answer, Question

LETTERS = "ABCDEFGH"

CHOICES: dict[str, Promise] = {
    "a-3": gettext_lazy("A is much better"),
    "a-2": gettext_lazy("A is better"),
    "a-1": gettext_lazy("A is slightly better"),
    "a": gettext_lazy("A is better"),
    "b": gettext_lazy("B is better"),
    "tie": gettext_lazy("Tie"),
    "b-1": gettext_lazy("B is slightly better"),
    "b-2": gettext_lazy("B is better"),
    "b-3": gettext_lazy("B is much better"),
    "both_bad": gettext_lazy("Both are bad"),
}


def choices_of(question: Question) -> list[str]:
    """The values of a pairwise question in the order they stand on the screen, from A to B."""
    sides = ["a-3", "a-2", "a-1", "tie", "b-1", "b-2", "b-3"] if question.strength else ["a", "b", "tie"]
    left_out = () if question.ties else ("tie",)
    return [side for side in sides if side not in left_out] + (["both_bad"] if question.both_bad else [])


def in_words(answers: Mapping[str, Answer], criteria: Sequence[str]) -> str:
    """All of them; a criterion is named where there are several."""
    told = [(name, one_in_words(answers[name])) for name in criteria if name in answers]
    if len(criteria) == 1:
        return told[0][1] if told else ""
    return "; ".join(_("%(criterion)s: %(answer)s") % {"criterion": n, "answer": words} for n, words in told)


def one_in_words(answer: Answer) -> str:
    if answer.choice:
        value = answer.choice + (f"-{answer.strength}" if answer.strength else "")
        return str(CHOICES.get(value, value))
    if answer.ranks is not None:
        return order_in_words(answer.ranks)
    rated = zip(LETTERS, answer.ratings or (), strict=False)
    return ", ".join(f"{letter} {points}" for letter, points in rated)


def order_in_words(ranks: Sequence[int]) -> str:
    """(2, 1, 2) is B > A = C."""
    places = [[LETTERS[p] for p, rank in enumerate(ranks) if rank == place] for place in sorted(set(ranks))]
    return " > ".join(" = ".join(tied) for tied in places)

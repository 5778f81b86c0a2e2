"""Whether a label's most probable answer is the one that somebody gave."""

from annotation.answering.answer import Answer
from annotation.answering.credit import is_right


def says_the_same(given: Answer, label: Answer) -> bool:
    """A label says who is better, or that neither is: “both are bad” is the same as a tie.

    A ranking or rating agrees when at least `credit.RIGHT` of the pairs of responses stand in the label's
    order, ties included; equal ratings are a tie.
    """
    if label.choice:
        return _side(given.choice) == _side(label.choice)
    if given.ratings is not None:
        given = Answer(given.criterion, ranks=tuple(-points for points in given.ratings))
    return is_right(given, label)


def _side(choice: str) -> str:
    return "tie" if choice == "both_bad" else choice

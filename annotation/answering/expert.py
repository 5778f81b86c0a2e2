"""What an expert may answer, and how right a whole judgment is against it.

An expert answers like anybody else, but without a strength and not under every criterion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from annotation.answering.answer import Answer, InvalidAnswer, Question, checked
from annotation.answering.credit import credit


def checked_expert(answers: Sequence[Answer], question: Question, responses: int) -> tuple[Answer, ...]:
    """Valid gold answers, in the question's order of criteria. Raises `InvalidAnswer`.

    Criteria may be left open, but not all of them; of pairs the main one (the first) never, because it alone
    says whether somebody is right. A strength is left away: credit does not look at it.
    """
    if not answers:
        raise InvalidAnswer("Gold needs an answer under one criterion at least.")
    named = {answer.criterion for answer in answers}
    if question.kind == "pairwise" and question.criteria[0] not in named:
        raise InvalidAnswer(f"Gold for pairs answers the main criterion, {question.criteria[0]}: add it.")
    unknown = sorted(named - set(question.criteria))
    if unknown:
        raise InvalidAnswer(
            f"The project has no criterion “{unknown[0][:60]}”, only {', '.join(question.criteria)}."
        )
    asked = tuple(criterion for criterion in question.criteria if criterion in named)
    plain = [replace(answer, strength=None) for answer in answers]
    return checked(plain, replace(question, criteria=asked, strength=False), responses)


def judgment_credit(
    given: Mapping[str, Answer], expert: Mapping[str, Answer], question: Question
) -> float | None:
    """Of pairs the credit under the main criterion; else the mean over all that both have answered.

    None where they have no criterion in common. A judgment with at least `credit.RIGHT` is right.
    """
    counted = question.criteria[:1] if question.kind == "pairwise" else question.criteria
    found = [credit(given[name], expert[name]) for name in counted if name in given and name in expert]
    return sum(found) / len(found) if found else None

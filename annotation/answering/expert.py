"""What an expert may answer: like anybody else, but without a strength and not under every criterion."""

from collections.abc import Sequence
from dataclasses import replace

from annotation.answering.answer import Answer, InvalidAnswer, Question, checked


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

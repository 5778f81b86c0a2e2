"""What most people answered, as a proposal for an expert; never a label.

Pairs: the most frequent choice. Rankings: responses by their mean rank (Borda), equal means tie. Ratings: the
median of each response, a half rounded to the even point.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from annotation.answering.answer import Answer


def majority(answers: Sequence[Answer]) -> Answer | None:
    """Of answers to one question under one criterion; None without a vote, or with two choices level.

    Answers of another kind or number of responses than the first are passed over.
    """
    if not answers:
        return None
    first = answers[0]
    if first.choice:
        counted = Counter(answer.choice for answer in answers if answer.choice).most_common(2)
        level = len(counted) == 2 and counted[0][1] == counted[1][1]
        return None if level else Answer(first.criterion, choice=counted[0][0])
    if first.ranks is not None:
        ranks = [answer.ranks for answer in answers if len(answer.ranks or ()) == len(first.ranks)]
        sums = [sum(places) for places in zip(*(one for one in ranks if one is not None), strict=True)]
        dense = {total: place for place, total in enumerate(sorted(set(sums)), start=1)}
        return Answer(first.criterion, ranks=tuple(dense[total] for total in sums))
    own = first.ratings or ()
    ratings = [answer.ratings for answer in answers if len(answer.ratings or ()) == len(own)]
    points = zip(*(one for one in ratings if one is not None), strict=True)
    return Answer(first.criterion, ratings=tuple(round(median(given)) for given in points))

"""Four more signs that somebody's answers deserve a second look; see `flags` for the first four.

guesses  the answers follow a habit, not the pairs: `reliability`, leave-one-out. Who sees things differently
         is not flagged, whoever has given fewer than 20 votes neither.
run      one answer again and again: the longest run on the screen is longer than chance explains with the
         annotator's own shares; false discoveries held at 5 % over all annotators (Benjamini and Hochberg),
         and never below `RUN_MATTERS` answers.
unlike   silent repeats answered differently: the 95 % interval (Wilson) of the share answered alike ends
         below `ALIKE`.
round    circular preferences, a over b over c over a: the interval of their share among triads begins above
         `CIRCULAR`, half of what coins would make.

Both of the last two want a few cases first: `LEAST_REPEATS`, `LEAST_TRIADS`.

Each returns flags by place in the order given.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from annotation.aggregation.flags import FALSE_DISCOVERY, LEAST_ANSWERS, Flag, discoveries
from annotation.aggregation.patterns import Run
from annotation.aggregation.reliability import Reliability
from annotation.aggregation.wilson import wilson

RUN_MATTERS: Final = 12
ALIKE: Final = 0.6
CIRCULAR: Final = 0.125
LEAST_REPEATS: Final = 5
LEAST_TRIADS: Final = 10
COINS: Final = 0.25  # of triads without a tie that coins make circular

Found = dict[int, Flag]


def guesses(measured: Reliability) -> Found:
    """value: θ, the share of answers that follow what the others say; strength: its upper end; chance: the
    group's median."""
    return {
        place: Flag(
            "guesses",
            float(measured.theta[place]),
            int(measured.votes[place]),
            float(measured.high[place]),
            measured.typical,
        )
        for place in np.flatnonzero(measured.guesses).tolist()
    }


def runs(longest: Sequence[Run | None]) -> Found:
    """value: how long; n: answers in all; strength: the chance of one as long."""
    tested = [
        (place, run) for place, run in enumerate(longest) if run is not None and run.answers >= LEAST_ANSWERS
    ]
    chances = np.array([run.chance for _, run in tested], dtype=np.float64)
    kept = [tested[number] for number in discoveries(chances, FALSE_DISCOVERY)]
    return {
        place: Flag("run", float(run.length), run.answers, run.chance)
        for place, run in kept
        if run.length >= RUN_MATTERS
    }


def unlike(repeats: Sequence[tuple[int, int]]) -> Found:
    """(repeats, answered alike) of each. value: the share; strength: the upper end of its interval."""
    found = {}
    for place, (n, alike) in enumerate(repeats):
        interval = wilson(alike, n)
        if interval is not None and n >= LEAST_REPEATS and interval[1] < ALIKE:
            found[place] = Flag("unlike", alike / n, n, interval[1])
    return found


def rounds(triads: Sequence[tuple[int, int]]) -> Found:
    """(triads, circular ones) of each. value: the share; strength: the lower end of its interval."""
    found = {}
    for place, (n, circular) in enumerate(triads):
        interval = wilson(circular, n)
        if interval is not None and n >= LEAST_TRIADS and interval[0] > CIRCULAR:
            found[place] = Flag("round", circular / n, n, interval[0], COINS)
    return found

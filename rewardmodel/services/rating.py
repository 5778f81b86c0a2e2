"""The leaderboard of the models that wrote the responses, remembered until a label changes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.models.project import Project
from annotation.models.quality import ChangedItem
from annotation.services import aggregating
from rewardmodel import game_selectors
from rewardmodel.evaluation import leaderboard, style
from rewardmodel.evaluation.leaderboard import Leaderboard
from rewardmodel.evaluation.model_ratings import Games
from rewardmodel.evaluation.style import COLUMNS, Control
from rewardmodel.game_selectors import JudgedPairs, Stamp

SEED = 20_261_121
MOST_MET = 200  # models whose win matrix is told: its size is their square
FEW = 2_000  # changed items whose labels are made anew while somebody waits


class UnknownPart(ValueError):
    """There is no such criterion, category, model or control; the message names what there is."""


@dataclass(frozen=True, eq=False)
class ModelRatings:
    """board: None where no pair compares two models. left_out: pairs of the criterion by reason, in words."""

    criterion: str
    category: str | None  # None: all
    control: Control
    models: tuple[str, ...]  # every name the project's responses carry
    categories: tuple[str, ...]
    labelled: int
    board: Leaderboard | None
    left_out: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        return {
            "criterion": self.criterion,
            "category": self.category,
            "control": self.control,
            "labelled_pairs": self.labelled,
            "left_out": [
                {"reason": reason, "count": count} for reason, count in self.left_out.items() if count
            ],
            **(_board_json(self.board) if self.board else {"models": []}),
        }


def rate(
    project: Project,
    *,
    criterion: str | None = None,
    category: str | None = None,
    control: str = "raw",
    reference: str | None = None,
) -> ModelRatings:
    """Rate the project's models under one criterion (the main one), in one category or all.

    reference: a model that stands at 1000. Raises `UnknownPart`.
    """
    chosen = criterion or project.main_criterion
    _known("criterion", chosen, project.criterion_names)
    _known("control", control, style.CONTROLS)
    if 0 < ChangedItem.objects.filter(project=project)[: FEW + 1].count() <= FEW:
        aggregating.refresh(project=project)
    stamp = game_selectors.stamp_of(project, chosen)
    return _rated(project.pk, chosen, category, control, reference, stamp)


@lru_cache(maxsize=64)
def _rated(
    project_id: int,
    criterion: str,
    category: str | None,
    control: Control,
    reference: str | None,
    stamp: Stamp,
) -> ModelRatings:
    pairs = _pairs(project_id, criterion, stamp)
    if category is not None:
        _known("category", category, pairs.categories)
    inside = pairs.category == pairs.categories.index(category) if category is not None else slice(None)
    a, b, weight = pairs.model_a[inside], pairs.model_b[inside], pairs.weight[inside]
    nameless, alone = (a < 0) | (b < 0), (a >= 0) & (a == b)
    weightless = ~nameless & ~alone & (weight <= 0)
    rows = np.flatnonzero(~(nameless | alone | weightless))
    rows = np.arange(len(pairs.prompt))[inside][rows]
    return ModelRatings(
        criterion=criterion,
        category=category,
        control=control,
        models=pairs.models,
        categories=pairs.categories,
        labelled=len(a),
        board=_board(pairs, rows, _shown(project_id, criterion, stamp, rows, control), reference),
        left_out={
            "a response without a model name": int(nameless.sum()),
            "both responses by the same model": int(alone.sum()),
            "only votes that weigh nothing": int(weightless.sum()),
        },
    )


def _board(
    pairs: JudgedPairs, rows: npt.NDArray[np.int64], shown: npt.NDArray[np.float64], reference: str | None
) -> Leaderboard | None:
    if not len(rows):
        return None
    playing, places = np.unique([pairs.model_a[rows], pairs.model_b[rows]], return_inverse=True)
    first, second = places.reshape(2, -1)
    names = [pairs.models[place] for place in playing]
    if reference is not None:
        _known("model", reference, names)
    games = Games(
        first=first,
        second=second,
        shares=pairs.shares[rows],
        weight=pairs.weight[rows],
        prompt=np.unique(pairs.prompt[rows], return_inverse=True)[1],
        style=shown,
        models=len(names),
    )
    return leaderboard.leaderboard(names, games, reference=reference, rng=np.random.default_rng(SEED))


@lru_cache(maxsize=4)
def _pairs(project_id: int, criterion: str, stamp: Stamp) -> JudgedPairs:
    return game_selectors.judged_pairs(Project.objects.get(pk=project_id), criterion)


@lru_cache(maxsize=4)
def _styles(
    project_id: int, criterion: str, stamp: Stamp
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Ids of the judged responses, ascending, and their style."""
    pairs = _pairs(project_id, criterion, stamp)
    wanted = np.unique([pairs.response_a, pairs.response_b])
    return wanted, game_selectors.styles_of(Project.objects.get(pk=project_id), wanted)


def _shown(
    project_id: int, criterion: str, stamp: Stamp, rows: npt.NDArray[np.int64], control: Control
) -> npt.NDArray[np.float64]:
    """What is controlled for: differences in style (len(rows), columns of the control)."""
    columns = COLUMNS[control]
    if not columns:
        return np.zeros((len(rows), 0))
    pairs = _pairs(project_id, criterion, stamp)
    ids, table = _styles(project_id, criterion, stamp)
    first, second = (table[np.searchsorted(ids, side[rows])] for side in (pairs.response_a, pairs.response_b))
    return style.differences(first, second)[:, :columns]


def _known(what: str, value: str, known: tuple[str, ...] | list[str]) -> None:
    if value not in known:
        raise UnknownPart(f"There is no {what} “{value}”. There are: {', '.join(known) or 'none'}.")


def _board_json(board: Leaderboard) -> dict[str, Any]:
    return {
        "pairs": board.pairs,
        "prompts": board.prompts,
        "votes": round(board.votes, 6),
        "groups": board.groups,
        "tau": board.tau,
        "scale": "Elo: 400 points are odds of ten to one; the mean of each group, or the reference, is 1000",
        "intervals": f"95 %, {leaderboard.DRAWS} resamples of {board.prompts} prompts; "
        "errors: sandwich clustered by prompt",
        "models": [asdict(one) for one in board.rated],
        "style": [{**asdict(one), "elo": one.elo} for one in board.coefficients],
        "win_matrix": {
            "models": [one.model for one in board.rated[:MOST_MET]],
            "expected": _corner(board.expected),
            "votes": _corner(board.met),
            "won": _corner(board.scored),
        },
    }


def _corner(matrix: npt.NDArray[np.float64]) -> list[list[float]]:
    """Of the best models."""
    return np.round(matrix[:MOST_MET, :MOST_MET], 6).tolist()  # type: ignore[no-any-return]

"""Which labels came of choice and which of chance, and which pairs measure both.

* **Active**: pairs that a rule other than chance picked.
* **Random**: pairs drawn at random, and imported ones whose first vote came before the project's first batch
  was chosen by a score: until then people met them in random order. Later the imported pairs that are still
  open are those which no rule wanted, and no fair sample any more.
* **Audit**: the frozen audit set, of prompts that the model never learns from. No other label on a prompt
  that measures is in an arm.

Second opinions say nothing new about how a pair was found, so they leave it in its arm; a pick that was
withdrawn and judged after all is in neither.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models import Min, Q

from activelearning.acquisition.groups import pair_weights
from activelearning.acquisition.pool import Floats, Ids, Mask, Positions, as_ids
from activelearning.models import SelectedPair, SelectionBatch
from activelearning.services import auditing
from annotation.interchange.snapshot import read_splits
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, Judgment
from annotation.services import snapshotting
from rewardmodel.models import TrainingRun


@dataclass(frozen=True, eq=False)
class Labels:
    """Labelled pairs of the two arms, in the order of their first vote, and those of the audit set.

    Each (m,), shares (m, 3). item: of which item each is a pair, those of an item side by side; a pair of an
    answer to k responses has 2/k of its votes. given: votes that a model may learn from.
    """

    first: list[int]
    second: list[int]
    prompt: Ids
    shares: Floats  # of (a, tie, b)
    votes: Floats  # effective ones
    active: Mask
    random: Mask
    audit: Mask
    item: Positions
    given: int


# prompt, a, b, shares, votes, arm, item
Row = tuple[int, int, int, tuple[float, float, float], float, str, int]


def labels_of(project: Project, run: TrainingRun) -> Labels:
    """Every labelled pair that one arm or the audit set holds."""
    measured = audit_prompts(project, run)
    rows = [*_learned(project, measured), *_audited(project)]
    votes = Judgment.objects.filter(item__project=project, live=True, item__is_gold=False)
    return Labels(
        first=[row[1] for row in rows],
        second=[row[2] for row in rows],
        prompt=as_ids([str(row[0]) for row in rows]),
        shares=np.array([row[3] for row in rows], dtype=np.float64).reshape(-1, 3),
        votes=np.array([row[4] for row in rows], dtype=np.float64) * pair_weights([row[6] for row in rows]),
        **{name: np.array([row[5] == name for row in rows], bool) for name in ("active", "random", "audit")},
        item=np.array([row[6] for row in rows], dtype=np.int64),
        given=votes.exclude(item__prompt__in=measured).count(),
    )


def audit_prompts(project: Project, run: TrainingRun) -> set[int]:
    """Prompts that measure: those of the audit set, and the test split that the run was measured on."""
    found = set(project.prompts.filter(audit=True).values_list("pk", flat=True))
    splits = read_splits(snapshotting.folder_of(run.snapshot))
    return found | {int(prompt) for prompt, split in splits.items() if split == "test"}


def _audited(project: Project) -> list[Row]:
    """One vote is enough here: more of them make a label surer, none makes it fairer."""
    found = auditing.audit_set(project, votes=1)
    return [
        (
            one.prompt_id,
            one.response_a,
            one.response_b,
            (one.p_a, one.p_tie, one.p_b),
            one.votes,
            "audit",
            one.item_id,
        )
        for one in found.labels
    ]


def _learned(project: Project, measured: set[int]) -> list[Row]:
    """The labels of both arms."""
    begun = _first_votes(project)
    reason = _reasons(project)
    scored_at = _first_scored_batch(project)
    labels = SoftLabel.objects.filter(
        project=project, criterion=project.main_criterion, effective_votes__gt=0, item__is_gold=False
    ).select_related("item")
    standing = [label for label in labels if label.item_id in begun]  # else its last vote has just gone
    rows = []
    for label in sorted(standing, key=lambda one: (begun[one.item_id][0], one.item_id, one.pk)):
        arm = _arm(reason.get(label.item_id), begun[label.item_id], scored_at)
        if arm and label.item.prompt_id not in measured:
            shares = (label.p_a, label.p_tie, label.p_b)
            ids = (label.item.prompt_id, label.response_a_id, label.response_b_id)
            rows.append((*ids, shares, label.effective_votes, arm, label.item_id))
    return rows


def _arm(reason: str | None, begun: tuple[datetime, datetime, str], scored_at: datetime | None) -> str:
    if reason == SelectedPair.Reason.RANDOM:
        return "random"
    if reason is not None:
        return "" if reason == SelectedPair.Reason.AUDIT else "active"
    _, arrived, origin = begun
    early = scored_at is None or arrived < scored_at
    return "random" if early and origin != Item.Origin.SELECTED else ""


def _first_votes(project: Project) -> dict[int, tuple[datetime, datetime, str]]:
    """Of every judged item: when its first vote was given, when it arrived here, and the item's origin."""
    live = Q(judgments__live=True)
    judged = Item.objects.filter(project=project, judgments__live=True, is_gold=False)
    rows = judged.annotate(
        given=Min("judgments__judged_at", filter=live), arrived=Min("judgments__created_at", filter=live)
    )
    return {pk: (given, at, origin) for pk, given, at, origin in rows.values_list(
        "pk", "given", "arrived", "origin")}  # fmt: skip


def _reasons(project: Project) -> dict[int, str]:
    """Why each item was first selected, as far as that stands."""
    rows = (
        SelectedPair.objects.filter(batch__project=project, withdrawn_at=None)
        .exclude(reason=SelectedPair.Reason.REPEAT)
        .order_by("-batch__number")
        .values_list("item_id", "reason")
    )
    return dict(rows)


def _first_scored_batch(project: Project) -> datetime | None:
    scored = SelectionBatch.objects.filter(project=project).exclude(strategy=SelectionBatch.BY_CHANCE)
    found: datetime | None = scored.aggregate(at=Min("created_at"))["at"]
    return found

"""Queue the groups that people should rank or rate next: they become items ahead of everything else."""

from collections.abc import Collection, Sequence

from django.db import transaction

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.selection import SelectedPair as Chosen
from activelearning.models import LoopPolicy, SelectionBatch
from activelearning.services import auditing, group_audit, grouping, recording, withdrawing
from activelearning.services.group_audit import Group
from activelearning.services.grouping import GroupChoice
from activelearning.services.policies import policy_of
from annotation.models.project import Project
from annotation.services import items

Pick = tuple[Chosen, Group]


@transaction.atomic
def queue(
    *, project: Project, choice: GroupChoice, actor: User | None, refill: bool
) -> SelectionBatch | None:
    """Write the batch and make its groups the first items people get; None when no group remains.

    What an older model picked and nobody has begun is withdrawn first. A group of which a pair was asked
    about since it was chosen is left out, but for one of the audit set that still wants votes; so is one that
    a score picked of a prompt that measures by now.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    policy = policy_of(project)
    withdrawing.withdraw(project, choice.ensemble)
    awaited = group_audit.awaited(project=project, policy=policy)
    chosen = _still_open(project, choice, awaited)
    if not chosen:
        return None
    new = [pair.rank for pair, group in chosen if pair.reason != "audit" and group not in awaited]
    twice = recording.drawn_twice(project, policy, choice.seed, new)
    batch = recording.write_batch(project=project, choice=choice, policy=policy, twice=twice, refill=refill)
    _queue(batch, policy, chosen, awaited, twice)
    detail = {"batch": batch.number, "groups": len(chosen)}
    audit.record(actor=actor, project=project, action="selection", detail=detail)
    return batch


def _still_open(project: Project, choice: GroupChoice, awaited: Collection[Group]) -> list[Pick]:
    since = grouping.pairs_within(grouping.asked_groups(project)) - choice.asked
    measuring = set(project.prompts.filter(audit=True).values_list("pk", flat=True))
    return [
        (pair, group)
        for pair, group in zip(choice.selection.pairs, choice.groups, strict=True)
        if group in awaited
        or (
            not grouping.pairs_within([group]) & since
            and (pair.reason == "audit" or int(pair.prompt_id) not in measuring)
        )
    ]


def _queue(
    batch: SelectionBatch,
    policy: LoopPolicy,
    chosen: Sequence[Pick],
    awaited: Collection[Group],
    twice: Collection[int],
) -> None:
    project = batch.project
    measured, more = auditing.votes_wanted(project, policy), project.overlap + 1
    queued = items.queue_groups(
        project=project,
        groups=[sorted(group) for _, group in chosen],
        priority=batch.number,
        origins=recording.origins(pair for pair, _ in chosen),
        overlaps=[
            measured if group in awaited else more if pair.rank in twice else None for pair, group in chosen
        ],
    )
    group_audit.note_queued(
        project=project, items=dict(zip((group for _, group in chosen), queued, strict=True))
    )
    recording.write_picks(batch, (pair for pair, _ in chosen), queued)

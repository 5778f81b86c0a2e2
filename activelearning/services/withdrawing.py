"""Picks of an older model that nobody has begun: they are ranked anew, not piled up.

A newer model would ask other things. So when it chooses, what an older one has chosen and nobody has begun is
open to choose again; what it does not choose goes behind the rest of the work. Pairs that were drawn by
chance stay: nothing but chance may decide which of them are judged. So do second opinions and the audit.
"""

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from activelearning.models import SelectedPair
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.services import items
from rewardmodel.models import Ensemble

KEPT = (SelectedPair.Reason.RANDOM, SelectedPair.Reason.AUDIT, SelectedPair.Reason.REPEAT)


def withdrawable(project: Project, ensemble: Ensemble | None) -> QuerySet[SelectedPair]:
    """Picks that were made before this ensemble and that nobody has begun; none for a cold start."""
    if ensemble is None:
        return SelectedPair.objects.none()
    item = OuterRef("item")
    begun = Assignment.objects.filter(item=item).exclude(state=Assignment.State.EXPIRED)
    return (
        SelectedPair.objects.filter(batch__project=project, withdrawn_at=None)
        .exclude(batch__ensemble=ensemble)
        .exclude(reason__in=KEPT)
        .exclude(Exists(begun))
        .exclude(Exists(Judgment.objects.filter(item=item, live=True)))
    )


def withdraw(project: Project, ensemble: Ensemble | None) -> int:
    """Put those picks back; how many. The caller is in a transaction and holds the project's lock."""
    waiting = dict(withdrawable(project, ensemble).values_list("item_id", "pk"))
    if not waiting:
        return 0
    # Somebody may have begun one since: only what the items' locks show untouched is withdrawn.
    back = items.put_back(project=project, items=list(waiting))
    return SelectedPair.objects.filter(pk__in=[waiting[item] for item in back]).update(
        withdrawn_at=timezone.now()
    )

"""What the run page says of the hand-over of a run."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from rewardmodel.models import HandOver, TrainingRun
from rewardmodel.pages import figures
from rewardmodel.pages.runs import Row
from rewardmodel.services import handing_over

PHASES = ("reading", "learning", "checking")


@dataclass(frozen=True)
class Panel:
    """`made` is None before the first hand-over; `facts` are there once it is ready."""

    made: HandOver | None
    active: bool
    phase: str
    done: int
    total: int
    facts: tuple[Row, ...]


def panel(run: TrainingRun) -> Panel | None:
    """None for a run that has nothing to hand over."""
    if run.state != TrainingRun.State.SUCCEEDED:
        return None
    made: HandOver | None = getattr(run, "hand_over", None)
    progress: dict[str, Any] = made.progress if made is not None else {}
    words = {
        "reading": _("Reading the texts"),
        "learning": _("Learning from the ensemble"),
        "checking": _("Packing and checking"),
    }
    return Panel(
        made=made,
        active=made is not None and made.state in handing_over.ACTIVE,
        phase=words.get(str(progress.get("phase", "")), _("Starting")),
        done=int(progress.get("done", 0)),
        total=int(progress.get("total", 0)),
        facts=_facts((made.about or {}).get("held_out", {})) if made is not None else (),
    )


def _facts(held_out: dict[str, Any]) -> tuple[Row, ...]:
    """Student, ensemble and length on the same held-out pairs."""
    labels = {
        "agreement_with_ensemble": _("Agrees with the ensemble"),
        "accuracy_student": _("Accuracy of the folder"),
        "accuracy_ensemble": _("Accuracy of the ensemble"),
        "accuracy_length": _("Accuracy of length alone"),
    }
    pairs = _("%(n)s held-out pairs")
    return tuple(
        Row(label, figures.with_range(held_out[name]), pairs % {"n": held_out[name]["n"]})
        for name, label in labels.items()
        if held_out.get(name, {}).get("value") is not None
    )

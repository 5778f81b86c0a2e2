"""What an alert says and what to do about it, made of its figures in the language that is active."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.addresses import own_address
from accounts.models import Role
from annotation.charts import decimal
from annotation.models.alert import Alert
from annotation.selectors import BUILDERS, WATCHERS

Figures = dict[str, Any]

KINDS: dict[str, Promise] = {
    Alert.Kind.AGREEMENT: gettext_lazy("Agreement falls"),
    Alert.Kind.GOLD: gettext_lazy("An annotator fails gold"),
    Alert.Kind.PAUSED: gettext_lazy("An annotator was paused"),
    Alert.Kind.APPEAL: gettext_lazy("An annotator appeals"),
    Alert.Kind.QUEUE: gettext_lazy("The queue runs dry"),
    Alert.Kind.WORKER: gettext_lazy("A worker is missing"),
}

ADVICE: dict[str, Promise] = {
    Alert.Kind.AGREEMENT: gettext_lazy(
        "Look at the items people part on and at who has joined lately, then at the guidelines."
    ),
    Alert.Kind.GOLD: gettext_lazy(
        "Look at their gold answers: is it the person, or is the expert's answer wrong?"
    ),
    Alert.Kind.PAUSED: gettext_lazy(
        "Look at the evidence. If it is wrong, restore them with one click: no vote is lost."
    ),
    Alert.Kind.APPEAL: gettext_lazy("Read what they say, look at the evidence, and answer them."),
    Alert.Kind.QUEUE: gettext_lazy("Import more items, or select the next batch."),
    Alert.Kind.WORKER: gettext_lazy("Start it with ./laurel up, or see in its log why it stopped."),
}
FOR_OTHERS = gettext_lazy("Invite more people, or lower how many answers an item gets.")  # a closed queue

QUEUES: dict[str, Promise] = {
    "light": gettext_lazy("The light worker (the loop, alerts, exports) gives no sign of life."),
    "training": gettext_lazy("The training worker gives no sign of life: runs that are started wait."),
    "scheduler": gettext_lazy("The scheduler gives no sign of life: nothing that recurs is done."),
}


PLACES: dict[str, tuple[str, frozenset[Role]]] = {
    Alert.Kind.AGREEMENT: ("annotation:monitor", WATCHERS),
    Alert.Kind.GOLD: ("annotation:annotator", WATCHERS),
    Alert.Kind.PAUSED: ("annotation:annotator", WATCHERS),
    Alert.Kind.APPEAL: ("annotation:annotator", WATCHERS),
    Alert.Kind.QUEUE: ("annotation:data", BUILDERS),
    Alert.Kind.WORKER: ("annotation:monitor", WATCHERS),
}


@dataclass(frozen=True)
class AlertWords:
    """path: the place in the app; empty for a reader who may not open it. url: the same from outside."""

    title: str
    text: str
    advice: str
    path: str

    @property
    def url(self) -> str:
        return own_address() + self.path


def words(alert: Alert, role: Role | None = Role.MANAGER) -> AlertWords:
    """What to tell somebody with this role in the project."""
    figures: Figures = alert.figures
    closed = alert.kind == Alert.Kind.QUEUE and figures.get("closed")
    name, roles = PLACES[alert.kind]
    where: dict[str, Any] = {"slug": alert.project.slug}
    if name == "annotation:annotator":
        where["user_id"] = alert.annotator_id
    path = reverse(name, kwargs=where) if role in roles else ""
    return AlertWords(
        title=str(KINDS[alert.kind]),
        text=TEXTS[alert.kind](alert, figures),
        advice=str(FOR_OTHERS if closed else ADVICE[alert.kind]),
        path=path,
    )


def with_words(alerts: Sequence[Alert], role: Role | None) -> list[tuple[Alert, AlertWords]]:
    """What the bar on top of the monitor shows (templates/annotation/alerts.html, as `alerts`)."""
    return [(alert, words(alert, role)) for alert in alerts]


def _agreement(alert: Alert, figures: Figures) -> str:
    """figures: before, now (α of the two windows), low and high of the difference, units, criterion."""
    if "before" not in figures or "now" not in figures:
        return _("Agreement has fallen.")
    text = _("Agreement has fallen from α = %(before)s to %(now)s.") % {
        "before": decimal(figures["before"]),
        "now": decimal(figures["now"]),
    }
    if "low" in figures and "high" in figures:
        text += " " + _("The difference is between %(low)s and %(high)s with 95 %% confidence.") % {
            "low": decimal(figures["low"]),
            "high": decimal(figures["high"]),
        }
    if figures.get("criterion"):
        text += " " + _("Criterion: %(criterion)s.") % {"criterion": figures["criterion"]}
    return text


def _gold(alert: Alert, figures: Figures) -> str:
    """figures: right, answered."""
    if not figures.get("answered"):
        return _("%(name)s fails gold checks.") % {"name": alert.annotator}
    return _("%(name)s fails gold checks: %(right)s of %(answered)s answers right.") % {
        "name": alert.annotator,
        "right": figures.get("right", 0),
        "answered": figures["answered"],
    }


def _paused(alert: Alert, figures: Figures) -> str:
    """figures: reason (in words), automatic."""
    if figures.get("automatic"):
        text = _("%(name)s was paused by the project's rules: new work stops, their votes weigh nothing.")
    else:
        text = _("%(name)s was paused: new work stops, their votes weigh nothing.")
    return " ".join(part for part in (text % {"name": alert.annotator}, figures.get("reason", "")) if part)


def _appeal(alert: Alert, figures: Figures) -> str:
    """figures: text, what they write."""
    if not figures.get("text"):
        return _("%(name)s appeals against the pause.") % {"name": alert.annotator}
    return _("%(name)s appeals against the pause: “%(text)s”") % {
        "name": alert.annotator,
        "text": figures["text"],
    }


def _queue(alert: Alert, figures: Figures) -> str:
    """figures: left, answered, minutes, closed; see annotation.services.noticing."""
    left = figures.get("left", 0)
    if not left:
        return _("No work is left, and people are still at it.")
    if figures.get("closed"):
        text = ngettext(
            "%(left)s answer is still wanted, but whoever is at work has answered those items already.",
            "%(left)s answers are still wanted, but whoever is at work has answered those items already.",
            left,
        )
        return text % {"left": left}
    text = ngettext("%(left)s answer is still wanted", "%(left)s answers are still wanted", left)
    pace = ngettext(
        "%(answered)s was given within %(minutes)s minutes.",
        "%(answered)s were given within %(minutes)s minutes.",
        figures.get("answered", 0),
    )
    return f"{text % {'left': left}}; {pace % {'minutes': 30, 'answered': 0, **figures}}"


def _worker(alert: Alert, figures: Figures) -> str:
    """figures: queues, each with when its last sign of life was."""
    lines = []
    for queue, seen in figures.get("queues", {}).items():
        line = str(QUEUES[queue]) if queue in QUEUES else _("A worker gives no sign of life: %s.") % queue
        moment = parse_datetime(seen)
        if moment is not None:
            last = date_format(localtime(moment), "DATETIME_FORMAT")
            line += " " + _("(Last seen: %(moment)s)") % {"moment": last}
        lines.append(line)
    return " ".join(lines) or _("A worker gives no sign of life.")


TEXTS: dict[str, Callable[[Alert, Figures], str]] = {
    Alert.Kind.AGREEMENT: _agreement,
    Alert.Kind.GOLD: _gold,
    Alert.Kind.PAUSED: _paused,
    Alert.Kind.APPEAL: _appeal,
    Alert.Kind.QUEUE: _queue,
    Alert.Kind.WORKER: _worker,
}

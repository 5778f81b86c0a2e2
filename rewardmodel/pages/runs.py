"""What the model pages say of a run, made from its row: labels, intervals in words, charts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.charts import thousands
from rewardmodel.models import TrainingRun
from rewardmodel.pages import charts, figures, findings
from rewardmodel.pages.criteria import report_of

PHASES: dict[str, Promise] = {
    "reading": gettext_lazy("Reading the snapshot"),
    "embedding": gettext_lazy("Embedding texts"),
    "training": gettext_lazy("Training the heads"),
    "evaluating": gettext_lazy("Evaluating"),
    "comparing": gettext_lazy("Comparing"),
    "resuming": gettext_lazy("Resuming"),
    "done": gettext_lazy("Trained"),
}
STEPS = ("reading", "embedding", "training", "evaluating", "comparing")
TONES = {
    TrainingRun.State.QUEUED: "badge--info",
    TrainingRun.State.RUNNING: "badge--info",
    TrainingRun.State.SUCCEEDED: "badge--good",
    TrainingRun.State.FAILED: "badge--bad",
    TrainingRun.State.CANCELLED: "badge--warn",
}


@dataclass(frozen=True)
class Row:
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class ListedRun:
    """One line of the list."""

    run: TrainingRun
    tone: str
    accuracy: str
    length: str
    calibration: str
    pairs: str
    votes: str
    below_length: bool
    scores: bool  # its ensemble is the active one
    promoted: bool


def listed(run: TrainingRun) -> ListedRun:
    metrics = run.metrics or {}
    baselines = metrics.get("baselines", {})
    ensemble = getattr(run, "ensemble", None)
    mine, length = metrics.get("accuracy", {}).get("value"), baselines.get("length", {}).get("value")
    return ListedRun(
        run=run,
        tone=TONES[TrainingRun.State(run.state)],
        accuracy=figures.with_range(metrics["accuracy"]) if metrics else "",
        length=_short(baselines.get("length", {})) if metrics else "",
        calibration=figures.number(metrics.get("ece")) if metrics else "",
        pairs=thousands(metrics["accuracy"]["n"]) if metrics else "",
        votes=votes(run),
        below_length=mine is not None and length is not None and mine < length,
        scores=ensemble is not None and ensemble.active,
        promoted=ensemble is not None,
    )


def votes(run: TrainingRun) -> str:
    """How many votes its snapshot holds."""
    return thousands(run.snapshot.manifest.get("counts", {}).get("votes", 0))


@dataclass(frozen=True)
class Step:
    label: str
    state: str  # done, now, ahead


@dataclass(frozen=True)
class Live:
    """Where a run is."""

    phase: str
    message: str
    done: int
    total: int
    steps: tuple[Step, ...]
    curve: charts.Plot | None
    since: str  # how long it has been running, or waiting

    @property
    def percent(self) -> int | None:
        return round(100 * self.done / self.total) if self.total else None


def live(run: TrainingRun) -> Live:
    progress: dict[str, Any] = run.progress or {}
    phase = str(progress.get("phase", ""))
    at = STEPS.index(phase) if phase in STEPS else (len(STEPS) if phase == "done" else -1)
    return Live(
        phase=str(PHASES.get(phase, phase)),
        message=str(progress.get("message", "")),
        done=int(progress.get("done", 0)),
        total=int(progress.get("total", 0)),
        steps=tuple(
            Step(str(PHASES[name]), "done" if i < at else "now" if i == at else "ahead")
            for i, name in enumerate(STEPS)
        ),
        curve=charts.learning_curve(progress.get("curve", []), (_("training"), _("validation"))),
        since=_duration((timezone.now() - (run.started_at or run.created_at)).total_seconds()),
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return _("%(n)s s") % {"n": round(seconds)}
    if seconds < 7200:
        return _("%(n)s min") % {"n": round(seconds / 60)}
    return _("%(n)s h") % {"n": round(seconds / 3600)}


@dataclass(frozen=True)
class Report:
    """The evaluation of a run that succeeded."""

    tiles: tuple[Row, ...]
    accuracy: charts.Whiskers | None
    reliability: charts.Reliability | None
    bins: tuple[Mapping[str, float], ...]
    details: tuple[Row, ...]
    how: str
    left_out: tuple[Row, ...]
    answers: tuple[findings.Answer, ...]
    chapters: tuple[findings.Chapter, ...]


def report(run: TrainingRun, criterion: str = "") -> Report | None:
    """Of one criterion, or of the overall."""
    if not run.metrics:
        return None
    metrics = report_of(run.metrics, criterion)
    bins = metrics.get("reliability", [])
    return Report(
        tiles=_tiles(metrics),
        accuracy=_accuracies(metrics),
        reliability=charts.reliability(bins),
        bins=tuple(bins),
        details=_details(metrics),
        how=" · ".join(
            text
            for text in (metrics.get("evaluation", ""), metrics.get("intervals", {}).get("method", ""))
            if text
        ),
        left_out=_left_out(run, metrics),
        answers=findings.answers(metrics),
        chapters=findings.chapters(metrics),
    )


def _tiles(metrics: Mapping[str, Any]) -> tuple[Row, ...]:
    accuracy, intervals = metrics["accuracy"], metrics.get("intervals", {})
    tiles = [
        Row(
            _("Accuracy"),
            figures.number(accuracy.get("value")),
            _("%(range)s, %(n)s pairs")
            % {"range": figures.interval_range(accuracy), "n": thousands(accuracy["n"])},
        )
    ]
    lift = metrics.get("lift_over_length")
    if lift and lift.get("value") is not None:
        tiles.append(
            Row(
                _("Above length alone"),
                figures.signed(100 * lift["value"]),
                figures.interval_range(lift, 100, 1),
            )
        )
    for name, label in (
        ("nll", _("Log-loss per vote")),
        ("brier", _("Brier")),
        ("ece", _("Calibration error")),
    ):
        tiles.append(
            Row(label, figures.number(metrics.get(name)), figures.interval_range(intervals.get(name, {})))
        )
    return tuple(tiles)


def _accuracies(metrics: Mapping[str, Any]) -> charts.Whiskers | None:
    baselines = metrics.get("baselines", {})
    ceiling = metrics.get("ceiling", {}).get("one_voter_against_the_others", {})
    return charts.whiskers(
        [
            (_("this model"), 1, metrics["accuracy"]),
            (_("length alone"), 2, baselines.get("length", {})),
            (_("always the same side"), 5, baselines.get("majority", {})),
            (_("one voter against the others"), 3, ceiling),
        ]
    )


def _details(metrics: Mapping[str, Any]) -> tuple[Row, ...]:
    ties, bias = metrics.get("ties", {}), metrics.get("length_bias", {})
    trained, temperature = metrics.get("training", {}), metrics.get("temperature", {})
    evaluated = metrics.get("evaluated", {})
    rows = [
        Row(
            _("Evaluated on"),
            _("%(pairs)s pairs, %(prompts)s prompts, %(votes)s votes")
            % _counts(evaluated, "pairs", "prompts", "votes"),
        ),
        Row(
            _("Ensemble trained on"),
            _("%(pairs)s pairs, %(prompts)s prompts") % _counts(trained, "pairs", "prompts"),
            str(metrics.get("ensemble_trained_on", "")),
        ),
        Row(
            _("Heads and steps"),
            _("%(heads)s heads, %(steps)s steps") % _counts(trained, "heads", "steps"),
        ),
        *([Row(_("Started from"), str(trained["started_from"]))] if "started_from" in trained else []),
        Row(
            _("Ties"),
            _("%(n)s pairs without a winner") % _counts(ties, "n"),
            _("mean margin %(ties)s, of decided pairs %(decided)s")
            % {
                "ties": figures.number(ties.get("mean_margin")),
                "decided": figures.number(ties.get("mean_margin_of_decided")),
            },
        ),
        Row(
            _("Accuracy where one side leads"),
            figures.with_range(metrics.get("accuracy_leaning", {})),
            _("also where “equal” had the most votes"),
        ),
        Row(
            _("Reward and length"),
            _("Pearson %(p)s, Spearman %(s)s")
            % {"p": figures.number(bias.get("pearson")), "s": figures.number(bias.get("spearman"))},
            _("the longer response wins %(model)s with the model, %(votes)s with the voters")
            % {
                "model": figures.percent(bias.get("longer_wins_model")),
                "votes": figures.percent(bias.get("longer_wins_votes")),
            },
        ),
        Row(
            _("Temperature and tie parameter"),
            f"{figures.number(temperature.get('value'))} · {figures.number(temperature.get('tau'))}",
        ),
    ]
    return tuple(rows)


def _left_out(run: TrainingRun, metrics: Mapping[str, Any]) -> tuple[Row, ...]:
    """From the run, which counts the snapshot's own too; before it has metrics, from the manifest."""
    listed = metrics.get("left_out", run.snapshot.manifest.get("left_out", []))
    return tuple(Row(str(one["reason"]), thousands(one["count"])) for one in listed)


def _counts(values: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: thousands(values[name]) if name in values else "?" for name in names}


def _short(found: Mapping[str, Any]) -> str:
    return figures.number(found.get("value"))

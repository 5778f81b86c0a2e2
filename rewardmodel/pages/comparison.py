"""Runs side by side: where settings and data differ, what each measures, and the paired difference."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.charts import decimal, thousands
from rewardmodel.evaluation.clustered import Interval
from rewardmodel.evaluation.gate import ENOUGH_PAIRS, ENOUGH_PROMPTS, Comparison
from rewardmodel.models import TrainingRun
from rewardmodel.pages import charts, figures
from rewardmodel.services import common_pairs

MOST = 4  # runs on one page: more columns nobody reads
OF_A_CRITERION = (("accuracy",), ("intervals", "nll"), ("intervals", "ece"))
METRICS: tuple[tuple[tuple[str, ...], Promise], ...] = (
    (("accuracy",), gettext_lazy("Accuracy")),
    (("lift_over_length",), gettext_lazy("Above length alone")),
    (("intervals", "nll"), gettext_lazy("Log-loss per vote")),
    (("intervals", "brier"), gettext_lazy("Brier")),
    (("intervals", "ece"), gettext_lazy("Calibration error")),
    (("baselines", "length"), gettext_lazy("Length alone")),
    (("baselines", "majority"), gettext_lazy("Always the same side")),
    (("ceiling", "one_voter_against_the_others"), gettext_lazy("One voter against the others")),
)


@dataclass(frozen=True)
class Line:
    label: str
    values: tuple[str, ...]
    differs: bool = False


@dataclass(frozen=True)
class Difference:
    """A run minus the first one on the pairs both predicted without having learned from them."""

    run: TrainingRun
    found: Comparison
    accuracy: str
    nll: str
    ece: str
    verdict: str
    tone: str


@dataclass(frozen=True)
class Page:
    runs: tuple[TrainingRun, ...]
    settings: tuple[Line, ...]  # those that differ
    same: int  # settings that do not
    data: tuple[Line, ...]
    metrics: tuple[Line, ...]
    criteria: tuple[Line, ...]  # of those that two of the runs learned among several
    differences: tuple[Difference, ...]
    curves: charts.Plot | None


def page_of(runs: Sequence[TrainingRun]) -> Page:
    """Of two to MOST runs; the first is what the others are held against."""
    settings = _settings(runs)
    first, *others = runs
    labels = [_("Run %(n)s") % {"n": run.number} for run in runs]
    return Page(
        runs=tuple(runs),
        settings=tuple(line for line in settings if line.differs),
        same=sum(not line.differs for line in settings),
        data=tuple(_line(str(label), runs, value) for label, value in DATA),
        metrics=tuple(_metric(str(label), runs, path) for path, label in METRICS),
        criteria=tuple(_criteria(runs)),
        differences=tuple(_difference(run, first) for run in others if run.metrics and first.metrics),
        curves=charts.overlaid([(run.progress or {}).get("curve", []) for run in runs], labels),
    )


def _settings(runs: Sequence[TrainingRun]) -> list[Line]:
    names = dict.fromkeys(name for run in runs for name in run.config)
    lines = [_line(name, runs, _setting(name)) for name in names]
    lines.append(_line(_("code"), runs, lambda run: run.code_version))
    return lines


def _line(label: str, runs: Sequence[TrainingRun], value: Callable[[TrainingRun], str]) -> Line:
    values = tuple(value(run) for run in runs)
    return Line(label, values, len(set(values)) > 1)


def _setting(name: str) -> Callable[[TrainingRun], str]:
    def value(run: TrainingRun) -> str:
        said = run.config.get(name)
        return "–" if said is None else str(said)

    return value


def _counted(name: str) -> Callable[[TrainingRun], str]:
    """A count of the run's snapshot."""

    def value(run: TrainingRun) -> str:
        count = run.snapshot.manifest.get("counts", {}).get(name)
        return "–" if count is None else thousands(count)

    return value


def _measured(group: str, name: str) -> Callable[[TrainingRun], str]:
    """A count among the run's metrics."""

    def value(run: TrainingRun) -> str:
        count = ((run.metrics or {}).get(group) or {}).get(name)
        return "–" if count is None else thousands(count)

    return value


DATA: tuple[tuple[Promise, Callable[[TrainingRun], str]], ...] = (
    (gettext_lazy("Snapshot"), lambda run: f"{run.snapshot.number} · {run.snapshot_sha256[:12]}"),
    (gettext_lazy("Votes"), _counted("votes")),
    (gettext_lazy("Judged pairs"), _counted("pairs")),
    (gettext_lazy("Prompts"), _counted("prompts")),
    (gettext_lazy("Responses"), _counted("responses")),
    (gettext_lazy("Pairs trained on"), _measured("training", "pairs")),
    (gettext_lazy("Pairs evaluated on"), _measured("evaluated", "pairs")),
    (
        gettext_lazy("Evaluation"),
        lambda run: (run.metrics or {}).get("evaluation") or "–",
    ),
    (
        gettext_lazy("Time"),
        lambda run: "–" if run.seconds is None else _("%(n)s s") % {"n": thousands(round(run.seconds))},
    ),
)


def _metric(label: str, runs: Sequence[TrainingRun], path: Sequence[str]) -> Line:
    def value(run: TrainingRun) -> str:
        found: Any = run.metrics or {}
        for key in path:
            found = (found or {}).get(key)
        return figures.with_range(found) if isinstance(found, Mapping) and found else "–"

    return _line(label, runs, value)


def _criteria(runs: Sequence[TrainingRun]) -> Iterator[Line]:
    learned = Counter(name for run in runs for name in (run.metrics or {}).get("criteria") or {})
    words = dict(METRICS)
    for name in sorted(name for name, times in learned.items() if times > 1):
        for path in OF_A_CRITERION:
            label = _("%(criterion)s: %(measure)s") % {"criterion": name, "measure": words[path]}
            yield _metric(label, runs, ("criteria", name, *path))


def _difference(run: TrainingRun, first: TrainingRun) -> Difference:
    found = common_pairs.out_of_fold(run, first).compare(run.seed)
    verdict, tone = _verdict(found)
    return Difference(
        run=run,
        found=found,
        accuracy=_gap(found.accuracy, 100, 1),
        nll=_gap(found.nll, 1, 4),
        ece=_gap(found.ece, 1, 3),
        verdict=verdict,
        tone=tone,
    )


def _gap(found: Interval, factor: float, places: int) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "–"
    value, low, high = (_signed(factor * one, places) for one in (found.value, found.low, found.high))
    return _("%(value)s (%(low)s to %(high)s)") % {"value": value, "low": low, "high": high}


def _signed(value: float, places: int) -> str:
    text = decimal(value, places)
    return f"+{text}" if value > 0 and text != "0" else text


def _verdict(found: Comparison) -> tuple[str, str]:
    """What the intervals say, with the tone of its badge."""
    if not found.enough:
        return _("too few common pairs: %(pairs)s decided ones of %(prompts)s prompts are needed") % {
            "pairs": ENOUGH_PAIRS, "prompts": ENOUGH_PROMPTS,
        }, ""  # fmt: skip
    if found.worse:
        return _("worse"), "badge--bad"
    if found.accuracy.low is not None and found.accuracy.low > 0:
        return _("more accurate"), "badge--good"
    if found.nll.high is not None and found.nll.high < 0:
        return _("gives the votes more probability"), "badge--good"
    return _("no difference beyond chance"), ""

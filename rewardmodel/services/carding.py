"""The model card of a run with what the registry knows: agreement of the annotators, promotions, the gate."""

from annotation.models.project import Project
from annotation.services import reporting
from rewardmodel import selectors
from rewardmodel.evaluation.model_card import Card, Registered, render
from rewardmodel.models import TrainingRun


def card_of(run: TrainingRun) -> str:
    """Markdown. `run` comes from `selectors.run_for`."""
    registered = Registered(
        run=run.number, facts=_facts(run), agreement=_agreement(run.project), history=_history(run)
    )
    return render(Card(run.config, run.metrics or {}, run.snapshot.manifest, registered))


def _facts(run: TrainingRun) -> tuple[tuple[str, str], ...]:
    facts = [
        ("run", str(run.number)),
        ("snapshot number", f"{run.snapshot.number}, SHA-256 {run.snapshot_sha256}"),
        ("code", run.code_version),
        ("seed", str(run.seed)),
    ]
    if run.finished_at is not None:
        facts.append(("trained", f"{run.finished_at:%Y-%m-%d %H:%M} UTC"))
    ensemble = getattr(run, "ensemble", None)
    if ensemble is not None:
        facts.append(("state", "scores now" if ensemble.active else "has scored before"))
    if run.verdict:
        facts.append(("the promotion gate", run.verdict))
    return tuple(facts)


def _history(run: TrainingRun) -> tuple[str, ...]:
    told = []
    for one in selectors.promotions_of(run.project, most=200):
        if one.run == run.number:
            who = str(one.actor) if one.actor else "the gate" if one.by_gate else "a command"
            what = "Promoted again by a roll-back" if one.back else "Promoted"
            why = "" if one.by_gate or not one.reason else f": {one.reason}"
            told.append(f"{what} {one.at:%Y-%m-%d %H:%M} UTC by {who}{why}")
    return tuple(told)


def _agreement(project: Project) -> str:
    """Krippendorff's α of the main criterion as the monitor has it now; nothing where it has no report."""
    stored = reporting.stored_report(project)
    if stored is None:
        return ""
    parts = reporting.read(stored).agreement
    estimate = parts[0].overall.main.krippendorff.get("ordinal") if parts else None
    if estimate is None or estimate.value is None:
        return ""
    ends = "" if estimate.low is None else f" ({estimate.low:.3f} to {estimate.high:.3f})"
    return (
        f"The annotators agree with Krippendorff's α (ordinal) of {estimate.value:.3f}{ends}, "
        f"over {estimate.units:,} units."
    )

"""The promotion gate: the paired comparison itself, and what it decides about runs."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewardmodel.evaluation import gate
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import common_pairs, gating, promoting
from tests import factories
from tests.rewardmodel.worlds import run_folder

PROMPTS, PER_PROMPT = 60, 10


def world(seed=0):
    """True differences, the vote shares of many voters, and the prompt of each pair."""
    rng = np.random.default_rng(seed)
    d = rng.normal(scale=1.5, size=PROMPTS * PER_PROMPT)
    return d, np.exp(log_probabilities(d, 1.0, -1.0)), np.repeat(np.arange(PROMPTS), PER_PROMPT), rng


def side(d, temperature=1.0):
    return gate.Side(d, log_probabilities(d, temperature, -1.0))


def compared(new, old, shares, prompt):
    return gate.compare(new, old, shares, prompt, resamples=500, rng=np.random.default_rng(1))


def test_a_model_equals_itself():
    d, shares, prompt, _ = world()
    found = compared(side(d), side(d), shares, prompt)
    for difference in (found.accuracy, found.nll, found.ece):
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert not found.worse
    assert found.enough
    assert (found.pairs, found.prompts) == (600, 60)


def test_a_noisier_model_is_worse_and_the_comparison_is_antisymmetric():
    d, shares, prompt, rng = world()
    noisy = side(d + rng.normal(scale=2, size=len(d)))
    worse, better = compared(noisy, side(d), shares, prompt), compared(side(d), noisy, shares, prompt)
    assert worse.less_accurate
    assert worse.less_likely
    assert worse.worse
    assert not better.worse
    assert worse.accuracy.value == pytest.approx(-better.accuracy.value)
    assert worse.accuracy.low == pytest.approx(-better.accuracy.high)
    assert worse.ece.value == pytest.approx(-better.ece.value)


def test_an_equally_accurate_but_overconfident_model_is_less_calibrated():
    d, shares, prompt, _ = world()
    found = compared(side(d, temperature=0.25), side(d), shares, prompt)
    assert found.accuracy.value == 0
    assert found.less_calibrated
    assert found.worse


def test_pairing_finds_what_separate_intervals_would_miss():
    """A model that errs on 3 % more pairs, on top of noise both share: the paired interval excludes zero."""
    d, shares, prompt, rng = world(3)
    shared = d + rng.normal(scale=1.5, size=len(d))
    flipped = np.where(rng.random(len(d)) < 0.06, -shared, shared)
    found = compared(side(flipped), side(shared), shares, prompt)
    assert found.less_accurate
    assert found.accuracy.high - found.accuracy.low < 0.06


def test_a_difference_too_small_to_matter_is_none():
    """The truth with a trace of noise is less likely beyond chance, but hardly."""
    d, shares, prompt, rng = world()
    found = compared(side(d + rng.normal(scale=0.01, size=len(d))), side(d), shares, prompt)
    assert found.nll.low > 0
    assert not found.worse


def test_the_numbering_of_prompts_and_the_order_of_pairs_do_not_matter():
    d, shares, prompt, rng = world()
    noisy = d + rng.normal(size=len(d))
    order = rng.permutation(len(d))
    first = compared(side(noisy), side(d), shares, prompt)
    names = np.array([f"prompt {i:03d}" for i in prompt])
    second = compared(side(noisy[order]), side(d[order]), shares[order], names[order])
    assert second.accuracy.value == pytest.approx(first.accuracy.value)
    assert second.accuracy.low == pytest.approx(first.accuracy.low)
    assert second.nll.high == pytest.approx(first.nll.high)


def test_no_pairs_and_only_ties_are_undefined_and_never_worse():
    nothing = compared(side(np.zeros(0)), side(np.zeros(0)), np.zeros((0, 3)), np.zeros(0))
    assert nothing.accuracy.value is None
    assert not nothing.enough
    ties = np.tile([0.1, 0.1, 0.8], (30, 1))
    found = compared(side(np.ones(30)), side(np.ones(30)), ties, np.arange(30))
    assert found.accuracy.value is None
    assert found.nll.value == 0
    assert not found.enough
    assert not found.worse


def test_decided_pairs_of_one_prompt_are_not_enough_however_many_prompts_have_ties():
    d, _, prompt, _ = world()
    some, tied = np.where(prompt < 30, 0, prompt), [0.1, 0.1, 0.8]
    shares = np.where((some == 0)[:, None], [0.9, 0.1, 0], tied)
    found = compared(side(-np.abs(d)), side(np.abs(d)), shares, some)
    assert (found.pairs, found.decided, found.prompts) == (600, 300, 1)
    assert (found.accuracy.value, found.accuracy.low) == (-1, None)
    assert not found.enough


# --- runs -----------------------------------------------------------------------------------------


METRICS = {
    "accuracy": {"value": 0.7, "low": 0.6, "high": 0.8, "n": 100},
    "baselines": {"length": {"value": 0.75, "low": 0.7, "high": 0.8, "n": 100}},
}


def trained(project, d, shares, prompt):
    """A succeeded run with its held-out predictions; its snapshot has no test split to score."""
    run = factories.run(project, metrics=METRICS, config={"criterion": "overall"})
    folder = run_folder(run)
    (folder / "ensemble").mkdir(parents=True, exist_ok=True)
    (folder / "ensemble" / "ensemble.json").write_text("{}")
    p = np.exp(log_probabilities(d, 1.0, -1.0))
    columns = {"pair_id": [str(i) for i in range(len(d))], "prompt_id": [str(i) for i in prompt], "d": d}
    columns |= {name: p[:, i] for i, name in enumerate(("p_a", "p_b", "p_tie"))}
    columns |= {name: shares[:, i] for i, name in enumerate(("share_a", "share_b", "share_tie"))}
    pq.write_table(pa.table(columns), folder / "predictions.parquet")
    snapshot = run_folder(run.snapshot)
    snapshot.mkdir(parents=True, exist_ok=True)
    empty = {name: pa.array([], pa.string()) for name in common_pairs.PAIR_COLUMNS}
    pq.write_table(pa.table(empty), snapshot / "preferences.parquet")
    return run


@pytest.mark.django_db
def test_the_first_run_is_promoted_with_a_warning_when_length_beats_it():
    d, shares, prompt, _ = world()
    run = trained(factories.project(), d, shares, prompt)
    assert gating.promote_if_not_worse(run)
    assert "first ensemble" in run.verdict
    assert "below the length baseline" in run.verdict
    assert run.ensemble.active
    assert gating.promote_if_not_worse(run)  # asked again, it says the same
    assert Ensemble.objects.count() == 1


@pytest.mark.django_db
def test_a_worse_run_stays_out_and_an_equal_one_comes_in():
    d, shares, prompt, rng = world()
    project = factories.project()
    first = trained(project, d, shares, prompt)
    worse = trained(project, d + rng.normal(scale=2, size=len(d)), shares, prompt)
    equal = trained(project, d + rng.normal(scale=0.01, size=len(d)), shares, prompt)
    assert gating.promote_if_not_worse(first)
    assert not gating.promote_if_not_worse(worse)
    assert worse.verdict.startswith("Run 1 stays: -")
    assert "worse beyond chance: less accurate" in worse.verdict
    assert not Ensemble.objects.filter(run=worse).exists()
    assert gating.promote_if_not_worse(equal)
    assert Ensemble.objects.get(project=project, active=True).run == equal


def knows(run, *criteria):
    kept = {"criteria": [{"name": name, "weight": i} for i, name in enumerate(criteria)]}
    (run_folder(run) / "ensemble" / "ensemble.json").write_text(json.dumps(kept if len(criteria) > 1 else {
        "criterion": criteria[0]
    }))  # fmt: skip


@pytest.mark.django_db
def test_a_run_that_learned_fewer_criteria_is_left_to_people():
    d, shares, prompt, _ = world()
    project = factories.project(criteria=[{"name": name} for name in ("honest", "helpful", "style")])
    first, one, same = (trained(project, d, shares, prompt) for _ in range(3))
    knows(first, "helpful", "honest", "no longer asked")
    knows(one, "helpful")
    knows(same, "honest", "helpful", "style")
    assert gating.promote_if_not_worse(first)
    assert not gating.promote_if_not_worse(one)
    assert one.verdict == (
        f"Run {first.number} stays: it also knows honest, which run {one.number} has not learned. "
        f"Promote run {one.number} if that is meant."
    )
    assert gating.promote_if_not_worse(same)


def with_test_split(run, d, shares, prompt, monkeypatch, audit):
    """Every pair is of the run's test split; `audit` marks those drawn at random. Scores are invented."""
    sides = ("p_a", "p_b", "p_tie")
    names = [f"{i:05}" for i in range(len(d))]
    columns = {"pair_id": names, "prompt_id": [f"test {i}" for i in prompt]}
    columns |= {"response_a": [f"{name}a" for name in names], "response_b": [f"{name}b" for name in names]}
    columns |= {"criterion": ["overall"] * len(d), "split": ["test"] * len(d)}
    columns |= {name: shares[:, i] for i, name in enumerate(sides)}
    columns["origin"] = ["audit" if one else "selected" for one in audit]
    folder = run_folder(run.snapshot)
    pq.write_table(pa.table(columns), folder / "preferences.parquet")
    pq.write_table(pa.table({"response_id": columns["response_a"]}), folder / "responses.parquet")

    def scored(ensemble, responses, out, pairs, follow):
        told = d if ensemble.parent == run_folder(run) else -d
        return list(zip(told.tolist(), log_probabilities(told, 1.0, -1.0), strict=True))

    monkeypatch.setattr(common_pairs, "_scored", scored)


@pytest.mark.django_db
@pytest.mark.parametrize(("drawn", "on"), [(100, "of the frozen audit set"), (9, "of the test split")])
def test_the_frozen_audit_set_decides_once_it_is_large_enough(drawn, on, monkeypatch):
    """The new run is right wherever a pair was drawn at random and wrong on the others."""
    d, shares, prompt, rng = world()
    project = factories.project()
    first, second = (trained(project, d, shares, prompt) for _ in range(2))
    promoting.promote(run=first)
    audit = np.zeros(len(d), dtype=bool)
    audit[rng.choice(len(d), size=drawn, replace=False)] = True
    shares = np.where(audit[:, None], shares, shares[:, [1, 0, 2]])
    with_test_split(second, d, shares, prompt, monkeypatch, audit)
    verdict = gating.judge(second, METRICS)
    assert on in verdict.reason
    assert verdict.promote == (drawn == 100)
    if drawn == 9:
        assert "too few" in verdict.reason


@pytest.mark.django_db
def test_where_the_files_of_the_old_snapshot_are_gone_the_predictions_decide():
    d, shares, prompt, _ = world()
    project = factories.project()
    first, second = (trained(project, d, shares, prompt) for _ in range(2))
    promoting.promote(run=first)
    shutil.rmtree(run_folder(first.snapshot))
    assert "that both predicted out of fold" in gating.judge(second, METRICS).reason


@pytest.mark.django_db
def test_predictions_are_put_side_by_side_by_the_pair_whatever_their_order():
    d, shares, prompt, rng = world()
    project = factories.project()
    new, old = (trained(project, told, shares, prompt) for told in (d, 2 * d))
    rows = rng.permutation(len(d))[:100]
    predictions = run_folder(old) / "predictions.parquet"
    pq.write_table(pq.read_table(predictions).take(rows), predictions)
    found = common_pairs.out_of_fold(new, old)
    rows = sorted(rows, key=str)
    np.testing.assert_array_equal(found.new.d, d[rows])
    np.testing.assert_array_equal(found.old.d, 2 * d[rows])
    np.testing.assert_allclose(found.old.log_p, log_probabilities(2 * d[rows], 1.0, -1.0))
    np.testing.assert_array_equal(found.shares, shares[rows])
    assert found.prompt.tolist() == [str(one) for one in prompt[rows]]
    (run_folder(old) / "predictions.parquet").unlink()
    assert len(common_pairs.out_of_fold(new, old).prompt) == 0


@pytest.mark.django_db
def test_what_somebody_promoted_meanwhile_stays():
    d, shares, prompt, _ = world()
    project = factories.project()
    first, second, third = (trained(project, d, shares, prompt) for _ in range(3))
    promoting.promote(run=first)
    verdict = gating.judge(third, METRICS)
    assert verdict.promote
    promoting.promote(run=second)
    assert not gating.apply(third, verdict).promote
    assert Ensemble.objects.get(project=project, active=True).run == second


@pytest.mark.django_db
def test_promote_and_roll_back_walk_through_history():
    d, shares, prompt, _ = world()
    project = factories.project()
    runs = [trained(project, d, shares, prompt) for _ in range(3)]
    for run in runs:
        promoting.promote(run=run)
    assert promoting.roll_back(project=project).run == runs[1]
    assert promoting.roll_back(project=project).run == runs[0]
    with pytest.raises(promoting.NotPromotable, match="no earlier ensemble"):
        promoting.roll_back(project=project)
    promoting.promote(run=runs[2])
    assert promoting.roll_back(project=project).run == runs[0]  # which scored before; not the rejected one
    promoting.promote(run=runs[1])
    promoting.promote(run=runs[2])
    assert promoting.roll_back(project=project).run == runs[1]  # promoted again, it counts again
    assert Ensemble.objects.filter(project=project, active=True).count() == 1


@pytest.mark.django_db
def test_only_what_can_score_is_promoted():
    project = factories.project()
    failed = factories.run(project, state=TrainingRun.State.FAILED)
    with pytest.raises(promoting.NotPromotable, match="has failed"):
        promoting.promote(run=failed)
    with pytest.raises(promoting.NotPromotable, match="gone"):
        promoting.promote(run=factories.run(project))

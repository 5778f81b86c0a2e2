"""Walks the whole file of reference values: every entry is checked here or named as somebody else's."""

import json
from typing import Any

import numpy as np
import pytest

from annotation.agreement.bootstrap import estimates, resampled
from annotation.agreement.cohen import cohen_kappa, contingency
from annotation.agreement.conger import conger_kappa
from annotation.agreement.estimate import Coefficient
from annotation.agreement.fleiss import classic_fleiss, fleiss
from annotation.agreement.gwet import ac1, uniform_chance
from annotation.agreement.krippendorff import LEVELS, alpha
from annotation.agreement.percent import percent
from annotation.agreement.units import UnitCounts, from_matrix
from tests.annotation.agreement.published import from_contingency, from_reliability
from tests.annotation.agreement.shared_data import shared_file

COEFFICIENTS: dict[str, Coefficient] = {
    **{level: alpha(level) for level in LEVELS},
    "krippendorff_alpha": alpha("nominal"),
    "krippendorff_alpha_nominal": alpha("nominal"),
    "krippendorff": alpha("nominal"),
    "alpha_nominal": alpha("nominal"),
    "fleiss_kappa": fleiss,
    "fleiss": fleiss,
    "scott_pi": fleiss,
    "percent_agreement": percent,
    "percent": percent,
    "pbar": percent,
    "gwet_ac1": ac1,
    "brennan_prediger": uniform_chance,
    "randolph_free_marginal": uniform_chance,
}
ELSEWHERE = {"dawid_skene_1979", "bradley_terry_citations", "gold_bounds", "sprt_gold"}


def matrices(reference: dict[str, Any]) -> dict[str, UnitCounts]:
    """Counts of every entry, by the key it is stored under."""
    found = {}
    for name, entry in reference.items():
        if name in ELSEWHERE:
            continue
        if "matrix" in entry:
            found[name] = from_reliability([list(row) for row in entry["matrix"]])
        elif "matrix_12x4" in entry:
            found[name] = from_reliability(np.array(entry["matrix_12x4"], dtype=object).T)
        elif "table" in entry:
            found[name] = from_contingency(entry["table"])
        elif "file" in entry:
            found[name] = from_reliability(pandalm(entry).T, categories=(0, 1, 2))
        else:
            found[name] = from_matrix(entry.get("counts", entry.get("counts_30x5")))
    return found


def pandalm(entry: dict[str, Any]) -> np.ndarray:
    rows = json.loads(shared_file(entry["file"].removeprefix("data/")).read_text())
    return np.array([[row[f"annotator{number}"] for number in (1, 2, 3)] for row in rows])


def precision(number: float) -> float:
    """Half a unit in the last decimal given, and never tighter than rounding error."""
    decimals = len(repr(float(number)).partition(".")[2])
    return max(0.5 * 10.0**-decimals * 1.0001, 1e-12)


def test_every_value_in_the_reference_file() -> None:
    reference = json.loads(shared_file("agreement/reference_values.json").read_text())
    counts = matrices(reference)
    left: set[str] = set()
    for name, unit_counts in counts.items():
        expected = reference[name]["expected"]
        for key, wanted in expected.items():
            value, error = wanted if isinstance(wanted, list) and len(wanted) == 2 else (wanted, None)
            if key not in COEFFICIENTS:
                left.add(f"{name}: {key}")
                continue
            wanted_coefficient = {key: COEFFICIENTS[key]}
            found = estimates(unit_counts, wanted_coefficient, rng=np.random.default_rng(0), draws=0)[key]
            assert found.value == pytest.approx(value, abs=precision(value)), (name, key)
            if error is not None and unit_counts.paired.all():
                spread = bootstrap_error(unit_counts, COEFFICIENTS[key])
                assert spread == pytest.approx(error, rel=0.15), (name, key)
        for level, rounded in reference[name].get("paper_rounded", {}).items():
            assert expected[level] == pytest.approx(rounded, abs=5e-4)
    left -= check_fleiss_details(reference, counts) | check_cohen(reference) | check_conger(reference)
    assert left == set()


def bootstrap_error(counts: UnitCounts, coefficient: Coefficient) -> float:
    """Spread over 4,000 draws.

    The published errors are irrCAC's linearised ones. They agree where every unit has two ratings; where not,
    irrCAC takes a unit with a single rating into its variance as if it agreed on nothing, so the four raters'
    errors are no reference for resampling (percent agreement: .126 there, .098 by resampling the units).
    """
    statistic = coefficient(counts)
    blocks = [statistic(w) for w in resampled(counts, rng=np.random.default_rng(1), draws=4000)]
    return float(np.nanstd(np.concatenate(blocks)))


def check_fleiss_details(reference: dict[str, Any], counts: dict[str, UnitCounts]) -> set[str]:
    """What belongs to the 1971 matrix alone; gives back the keys it checked."""
    expected = reference["fleiss1971"]["expected"]
    unit_counts = counts["fleiss1971"]
    classic = classic_fleiss(unit_counts)
    assert classic.per_category == pytest.approx(expected["per_category"], abs=5e-4)
    assert classic.null_error == pytest.approx(expected["se0_fleiss_nee_landis_1979"], abs=1e-12)
    assert classic.kappa / classic.null_error == pytest.approx(expected["z"], abs=1e-9)
    assert (expected["pbar"] - expected["pe"]) / (1 - expected["pe"]) == pytest.approx(classic.kappa)
    assert bootstrap_error(unit_counts, fleiss) == pytest.approx(expected["gwet_se_of_kappa"], rel=0.1)
    interval = estimates(unit_counts, {"fleiss": fleiss}, rng=np.random.default_rng(2), draws=4000)["fleiss"]
    assert (interval.low, interval.high) == pytest.approx(expected["gwet_ci95"], abs=0.02)
    keys = ("per_category", "se0_fleiss_nee_landis_1979", "z", "pe", "gwet_se_of_kappa", "gwet_ci95")
    return {f"fleiss1971: {key}" for key in keys}


def check_conger(reference: dict[str, Any]) -> set[str]:
    entry = reference["irrCAC_raw4raters"]
    table = np.array(entry["matrix_12x4"], dtype=object)
    unit, who = np.indices(table.shape)
    given = np.array([value is not None for value in table.ravel()])
    found = conger_kappa(unit.ravel()[given], who.ravel()[given], table.ravel()[given].astype(float))
    assert found.value == pytest.approx(entry["expected"]["conger_kappa"][0], abs=5e-6)
    return {"irrCAC_raw4raters: conger_kappa"}


def check_cohen(reference: dict[str, Any]) -> set[str]:
    square = cohen_kappa(reference["cohen_2x2"]["table"])
    expected = reference["cohen_2x2"]["expected"]
    assert square.value == pytest.approx(expected["kappa"], abs=1e-12)
    assert square.standard_error == pytest.approx(expected["ase"], abs=5e-4)
    assert (square.low, square.high) == pytest.approx(expected["ci95"], abs=5e-5)

    value, error = reference["irrCAC_cont3x3abstractors"]["expected"]["cohen"]
    abstractors = cohen_kappa(reference["irrCAC_cont3x3abstractors"]["table"])
    assert abstractors.value == pytest.approx(value, abs=1e-7)
    assert abstractors.standard_error == pytest.approx(error, rel=0.01)

    panda = reference["pandalm_testset_v1"]
    codes = pandalm(panda)
    assert len(codes) == panda["expected"]["n"]
    pairs = [cohen_kappa(contingency(codes[:, i], codes[:, j], 3)) for i, j in ((0, 1), (0, 2), (1, 2))]
    found = [pair.value for pair in pairs]
    assert found == pytest.approx(panda["expected"]["cohen_12_13_23"], abs=5e-5)
    assert found == pytest.approx(panda["expected"]["readme_cohen"], abs=5e-3)
    checked = {"cohen_2x2": ("kappa", "ase", "ci95"), "irrCAC_cont3x3abstractors": ("cohen",)}
    checked["pandalm_testset_v1"] = ("cohen_12_13_23", "readme_cohen", "n")
    return {f"{name}: {key}" for name, keys in checked.items() for key in keys}

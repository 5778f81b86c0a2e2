"""On real crowd votes the coefficients are the known ones."""

import gzip
import json

import numpy as np
import pytest

from annotation.agreement.report import agreement
from annotation.agreement.units import from_ratings
from tests.annotation.agreement.shared_data import shared_file


@pytest.mark.slow
def test_debate_votes_give_the_known_coefficients() -> None:
    unit, choice = [], []
    with gzip.open(shared_file("ukpconvarg1/pairs.jsonl.gz"), "rt") as lines:
        for index, line in enumerate(lines):
            for vote in json.loads(line)["votes"]:
                unit.append(index)
                choice.append({"a1": "a", "equal": "tie", "a2": "b"}[vote["value"]])
    counts = from_ratings(unit, choice, categories=("a", "tie", "b"))
    report = agreement(counts, rng=np.random.default_rng(0), levels=("nominal", "ordinal"))
    assert (report.units, report.ratings) == (11_747, 58_602)
    nominal, ordinal = report.krippendorff["nominal"], report.krippendorff["ordinal"]
    assert nominal.value == pytest.approx(0.2533, abs=5e-5)
    assert ordinal.value == pytest.approx(0.3505, abs=5e-5)
    for estimate in (nominal, ordinal, report.fleiss):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < (estimate.value or 0) < estimate.high
        assert 0.005 < estimate.high - estimate.low < 0.03

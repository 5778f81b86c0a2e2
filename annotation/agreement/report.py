"""Every coefficient of one criterion at once."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annotation.agreement.bootstrap import estimates
from annotation.agreement.clusters import Clusters
from annotation.agreement.estimate import Coefficient, Estimate
from annotation.agreement.fleiss import fleiss
from annotation.agreement.gwet import ac1, uniform_chance
from annotation.agreement.krippendorff import LEVELS, Level, alpha
from annotation.agreement.percent import percent
from annotation.agreement.units import UnitCounts

OTHERS = ("fleiss", "percent", "gwet_ac1", "brennan_prediger")


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """All coefficients from the same bootstrap draws.

    units, ratings: everything rated at least once; each estimate says what it could use. over_annotators: α
    with intervals over draws of people, where they were asked for (`annotators.estimates_over_people`).
    """

    units: int
    ratings: int
    krippendorff: dict[Level, Estimate]
    fleiss: Estimate
    percent: Estimate
    gwet_ac1: Estimate
    brennan_prediger: Estimate
    over_annotators: dict[Level, Estimate] = field(default_factory=dict)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every coefficient but those over annotators, by name."""
        found = {f"krippendorff {level}": estimate for level, estimate in self.krippendorff.items()}
        return found | {name: getattr(self, name) for name in OTHERS}

    def as_json(self) -> dict[str, Any]:
        krippendorff = {level: one.as_json() for level, one in self.krippendorff.items()}
        for level, one in self.over_annotators.items():
            if krippendorff[level]["value"] is not None:
                krippendorff[level]["over_annotators"] = one.ends_as_json()
        others = {name: getattr(self, name).as_json() for name in OTHERS}
        return {"units": self.units, "ratings": self.ratings, "krippendorff": krippendorff, **others}


def agreement(
    counts: UnitCounts,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
    levels: tuple[Level, ...] = LEVELS,
    clusters: Clusters | None = None,
) -> AgreementReport:
    """Every coefficient with its interval; Krippendorff's α at the given levels.

    clusters: units that belong together; the intervals then rest on draws of whole clusters.
    The same counts and the same state of `rng` give the same report. Levels which the categories do not
    carry come back without a value and with the reason.
    """
    wanted: dict[str, Coefficient] = {f"krippendorff {level}": alpha(level) for level in levels}
    wanted |= {"fleiss": fleiss, "percent": percent, "ac1": ac1, "brennan_prediger": uniform_chance}
    found = estimates(counts, wanted, rng=rng, draws=draws, confidence=confidence, clusters=clusters)
    return AgreementReport(
        units=counts.units,
        ratings=counts.ratings,
        krippendorff={level: found[f"krippendorff {level}"] for level in levels},
        fleiss=found["fleiss"],
        percent=found["percent"],
        gwet_ac1=found["ac1"],
        brennan_prediger=found["brennan_prediger"],
    )

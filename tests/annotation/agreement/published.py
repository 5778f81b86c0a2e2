"""Matrices printed in the literature, as facts, with where they are printed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.agreement.units import UnitCounts, from_matrix, from_ratings

_ = None

# K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section E: 4 observers × 12 units.
KRIPPENDORFF_2011_E = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]

# Wikipedia, "Krippendorff's alpha": 3 coders × 15 units.
KRIPPENDORFF_WIKIPEDIA = [
    [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
    [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
    [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
]

# Krippendorff (2011), sections A (two observers, binary) and B (two observers, nominal).
KRIPPENDORFF_2011_A = [
    [0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
    [1, 1, 1, 0, 0, 1, 0, 0, 0, 0],
]
KRIPPENDORFF_2011_B = [
    ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"],
    ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"],
]

# J. L. Fleiss (1971), Measuring nominal scale agreement among many raters, table 1: 30 patients, six raters
# each, five diagnoses; a patient is a group of five counts.
_PATIENTS = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006
10050 11040 03300 10050 02031 00501 30012 51000 02040 10203
00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
FLEISS_1971 = [[int(count) for count in patient] for patient in _PATIENTS.split()]

# Wikipedia, "Fleiss' kappa": 10 subjects × 5 categories, 14 raters.
FLEISS_WIKIPEDIA = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]

# Two-rater tables: Wikipedia, "Cohen's kappa", and cont3x3abstractors of the R package irrCAC.
COHEN_2X2 = [[20, 5], [10, 15]]
ABSTRACTORS_3X3 = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]


def from_reliability(matrix: Any, categories: Any = None) -> UnitCounts:
    """Counts from a raters × units matrix as the literature prints it; None or NaN = missing."""
    table = np.array(matrix, dtype=object)
    units = np.broadcast_to(np.arange(table.shape[1]), table.shape)
    return from_ratings(units.ravel(), table.ravel(), categories=categories)


def from_contingency(table: npt.ArrayLike) -> UnitCounts:
    """Counts of the units behind a two-rater table."""
    cells = np.array(table)
    eye = np.eye(len(cells), dtype=int)
    rows = [eye[i] + eye[j] for i in range(len(cells)) for j in range(len(cells)) for _ in range(cells[i, j])]
    return from_matrix(rows)

"""The interval of a share from few trials.

    centre = (p + z²/2n) / (1 + z²/n),   half = z √(p(1−p)/n + z²/4n²) / (1 + z²/n)

Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference.
"""

import math
from typing import Final

Z95: Final = 1.959963984540054


def wilson(successes: int, n: int, *, z: float = Z95) -> tuple[float, float] | None:
    """(low, high) of the share of successes, 95 % by default; None without a trial."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return None
    p, spread = successes / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z * math.sqrt(p * (1 - p) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)

"""Which prompts train, which calibrate and which test: a pure function of the seed and the prompt's id."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

FRACTIONS: Mapping[str, float] = MappingProxyType({"train": 0.8, "calibration": 0.1, "test": 0.1})
SMALL = 100
"""With fewer prompts than this, hashes are ranked: by threshold a split could stay empty by chance."""


class SplitError(ValueError):
    """The asked-for fractions are no division of a whole."""


def assign_splits(
    prompt_ids: Iterable[str],
    seed: int,
    fractions: Mapping[str, float] = FRACTIONS,
    *,
    always_test: Collection[str] = (),
) -> dict[str, str]:
    """Split by prompt, so that no prompt is in two splits.

    u(prompt) = SHA-256(seed, prompt id) / 2²⁵⁶ in [0, 1). From 100 prompts on, a prompt is in the split whose
    interval of cumulated fractions holds u: it stays there however the data grow. Fewer prompts are ranked by
    u and cut at the rounded fractions, with at least one prompt for every split when there are as many
    prompts as splits. Repeated ids count once. Those of `always_test` are in "test", whatever their hash; the
    others are where they would be without them.

    Raises SplitError on fractions below 0 or that do not sum to 1.
    """
    if not fractions or min(fractions.values()) < 0 or abs(sum(fractions.values()) - 1) > 1e-9:
        raise SplitError(f"the fractions {dict(fractions)} must be 0 or more and sum to 1")
    position = {prompt_id: _position(seed, prompt_id) for prompt_id in prompt_ids}
    names = [name for name, fraction in fractions.items() if fraction > 0]
    if len(position) < SMALL:
        ranked = sorted(position, key=lambda prompt_id: (position[prompt_id], prompt_id))
        counts = _counts(len(ranked), [fractions[name] for name in names])
        order = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
        splits = dict(zip(ranked, order, strict=True))
    else:
        splits = {prompt_id: _split_at(u, names, fractions) for prompt_id, u in position.items()}
    splits.update(dict.fromkeys(splits.keys() & set(always_test), "test"))
    return splits


def _position(seed: int, prompt_id: str) -> float:
    digest = hashlib.sha256(f"laurel.split/1\0{seed}\0{prompt_id}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / (1 << 53)  # 53 bits: exact in a float, below 1


def _split_at(u: float, names: list[str], fractions: Mapping[str, float]) -> str:
    edge = 0.0
    for name in names[:-1]:
        edge += fractions[name]
        if u < edge:
            return name
    return names[-1]


def _counts(total: int, fractions: list[float]) -> list[int]:
    """Whole numbers that sum to `total`: rounded down, the rest by largest remainder, then none left at 0."""
    counts = [int(total * fraction + 1e-9) for fraction in fractions]
    by_remainder = sorted(range(len(counts)), key=lambda i: counts[i] - total * fractions[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    if total >= len(counts):
        for i, count in enumerate(counts):
            if count == 0:
                counts[counts.index(max(counts))] -= 1
                counts[i] = 1
    return counts

"""The sums over all candidates on a GPU, by torch: what `arithmetic.NUMPY` does, term by term.

Features and their products are single, sums double precision, as there; only the order of adding differs, so
two gains that single precision cannot tell apart may change places, and no others. It loads torch: only
`on_device`, a child process, may import it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from activelearning.acquisition.arithmetic import Change, PairState, Start
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.posterior import Integers, square_root

CHUNK_PAIRS = 1 << 18  # 256 MB of differences at 256 features
CHUNK_PAIRS_CPU = 1 << 12  # stays in the cache


class DeviceArithmetic:
    """An `Arithmetic` on "cuda", "cuda:1", … or "cpu". Raises RuntimeError where torch has none such."""

    def __init__(self, device: str) -> None:
        torch.set_float32_matmul_precision("highest")  # no TF32: that is three digits
        self.device = torch.device(device)
        torch.zeros(1, device=self.device)  # a device that cannot be used says so now
        self._chunk = CHUNK_PAIRS_CPU if self.device.type == "cpu" else CHUNK_PAIRS

    def quadratic_form(self, z: Reals, first: Integers, second: Integers, matrix: Reals) -> Floats:
        found = self.forms(self.tensor(z, torch.float32), self.rows(first), self.rows(second), matrix)
        return _array(found)

    def pair_state(self, start: Start) -> PairState:
        return _DevicePairs(self, start)

    def forms(self, z: Tensor, first: Tensor, second: Tensor, matrix: Reals) -> Tensor:
        """xᵀAx of every pair, (N,), double."""
        root = z @ self.tensor(square_root(matrix), torch.float32)
        found = torch.empty(len(first), dtype=torch.float64, device=self.device)
        for begin in range(0, len(first), self._chunk):
            rows = slice(begin, begin + self._chunk)
            found[rows] = (root[first[rows]] - root[second[rows]]).square_().sum(dim=1)
        return found

    def tensor(self, values: Reals, kind: torch.dtype) -> Tensor:
        """A copy on the device, also where that is the processor."""
        return torch.tensor(np.ascontiguousarray(values), dtype=kind, device=self.device)

    def rows(self, places: Integers | Positions) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(places, dtype=np.int64), device=self.device)


class _DevicePairs:
    def __init__(self, on: DeviceArithmetic, start: Start) -> None:
        self._on = on
        self._z = on.tensor(start.z, torch.float32)
        self._first, self._second = on.rows(start.first), on.rows(start.second)
        self._v = on.tensor(start.information, torch.float64)
        self._s2 = on.forms(self._z, self._first, self._second, start.covariance)
        self._reach: Tensor | None = None
        if start.spread is not None:
            self._reach = on.forms(self._z, self._first, self._second, start.spread)

    def values(self) -> tuple[Floats, Floats]:
        return _array(self._v), _array(self._s2)

    def at(self, index: int) -> tuple[float, float]:
        return float(self._v[index]), float(self._s2[index])

    def gains(self) -> Floats:
        return _array(self._gains())

    def best(self, allowed: Mask) -> int:
        open_pairs = torch.as_tensor(allowed, device=self._on.device)
        gains = torch.where(open_pairs, self._gains(), -torch.inf)
        # the first of equals: torch's argmax takes any of them
        return int(torch.nonzero(gains == gains.max())[0])

    def learn(self, k: float, c: Floats, h: Floats | None, m: float) -> None:
        if h is None or self._reach is None:
            (along,) = self._along(c)
        else:
            along, across = self._along(c, h)
            self._reach += k * along * (k * m * along - 2.0 * across)
        self._s2 -= k * along.square()

    def put(self, change: Change) -> None:
        here = self._on.rows(change.pairs)
        self._v[here] = self._on.tensor(change.information, torch.float64)
        self._s2[here] = self._on.tensor(change.s2, torch.float64)
        if self._reach is not None and change.reach is not None:
            self._reach[here] = self._on.tensor(change.reach, torch.float64)
        self._z[self._on.rows(change.responses)] = self._on.tensor(change.z, torch.float32)

    def _gains(self) -> Tensor:
        told = self._v * self._s2.clamp(min=0.0)
        if self._reach is None:
            return torch.log1p(told)
        return self._v * self._reach.clamp(min=0.0) / (1.0 + told)

    def _along(self, *directions: Floats) -> list[Tensor]:
        each = self._on.tensor(np.stack(directions), torch.float32) @ self._z.T
        return [(row[self._first] - row[self._second]).double() for row in each]


def _array(values: Tensor) -> Floats:
    return np.asarray(values.cpu().numpy(), dtype=np.float64)

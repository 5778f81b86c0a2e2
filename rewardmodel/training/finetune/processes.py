"""One process or several (`torchrun`, `accelerate launch`): who am I, and sums over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    rank: int
    count: int
    place: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace every tensor by its sum over the processes."""
        if self.count > 1:
            for tensor in tensors:
                torch.distributed.all_reduce(tensor)

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        told = torch.tensor([float(flag)], device=self.place)
        self.add([told])
        return bool(told > 0)

    def wait(self) -> None:
        if self.count > 1:
            torch.distributed.barrier()


def join() -> Processes:
    """This process among those it was launched with; alone when it was not launched by a launcher."""
    from accelerate import PartialState

    # without a GPU it has to be told so, or each process takes itself for the only one
    state = PartialState(cpu=not torch.accelerator.is_available())
    return Processes(state.process_index, state.num_processes, state.device)

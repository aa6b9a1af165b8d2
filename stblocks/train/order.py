"""Which sequences a step trains on: a function of the seed and the step alone, so that a run resumes mid-epoch."""

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch.utils.data import Dataset

from ..data import Scaler, Sequence
from ..data.augment import jittered, turned
from ..data.crops import draw as draw_sample
from ..data.sources import physical_scaler
from .seeding import derive_seed, seed_host

#: One draw of a sequence: the epoch, and its index in the data set.
Draw = tuple[int, int]


class DataOrder:
    """The draws of every step: each epoch takes the set in a new random order, less a remainder short of a batch.

    Args:
        size: Sequences in the set, at least `batch_size`.
        batch_size: Sequences per step.
        seed: The run's.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.steps_per_epoch = size // batch_size
        self._permutation = lru_cache(maxsize=2)(self._permute)

    def _permute(self, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
        return torch.randperm(self.size, generator=generator).tolist()

    def batch(self, step: int) -> list[Draw]:
        """The draws of a step; steps count from 0 and go on over epochs."""
        epoch, position = divmod(step, self.steps_per_epoch)
        start = position * self.batch_size
        return [(epoch, index) for index in self._permutation(epoch)[start : start + self.batch_size]]


class Share:
    """The part of every batch that one process takes, in the parts it is computed in; a batch sampler for DataLoader.

    Args:
        order: The draws.
        steps: From where to where.
        parts: Into how many parts a process divides its share.
        rank: Which process this is.
        processes: How many there are.
    """

    def __init__(self, order: DataOrder, steps: range, parts: int, rank: int, processes: int) -> None:
        self.order, self.steps, self.parts, self.rank, self.processes = order, steps, parts, rank, processes

    def slices(self) -> list[slice]:
        """Where this process's parts lie in a batch."""
        side = self.order.batch_size // (self.parts * self.processes)
        starts = [(part * self.processes + self.rank) * side for part in range(self.parts)]
        return [slice(start, start + side) for start in starts]

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in self.steps:
            batch = self.order.batch(step)
            yield from (batch[part] for part in self.slices())

    def __len__(self) -> int:
        return len(self.steps) * self.parts


class Drawn(Dataset[Sequence]):
    """A data set indexed by draws, cropped at random if the data set does that, augmented on request.

    What the data set itself draws from the generators of Python, NumPy and torch on the CPU is a function of the draw.

    Args:
        data: The data set.
        augment: Turn each sequence at random, see `turned`. A draw is always turned the same way.
        seed: The run's.
        jitter: Add a random number to the echoes of each sequence, of this standard deviation, see `jittered`.
    """

    def __init__(self, data: Dataset[Sequence], augment: bool, seed: int, jitter: float = 0.0) -> None:
        self.data, self.augment, self.seed, self.jitter = data, augment, seed, jitter
        self.scaler = physical_scaler(data, "jitter") if jitter else Scaler()

    def __getitem__(self, draw: Draw) -> Sequence:
        seed_host(derive_seed(self.seed, "sample", *draw))  # a step seeds them anew for the model
        sample = draw_sample(self.data, draw[1], derive_seed(self.seed, "crop", *draw))
        if self.augment:
            sample = turned(sample, self._generator("augment", draw))
        if self.jitter:
            sample = jittered(sample, self.jitter, self.scaler, self._generator("jitter", draw))
        return sample

    def _generator(self, stream: str, draw: Draw) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, stream, *draw))

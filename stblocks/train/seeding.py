"""Random numbers as a function of the seed and of where the run stands, so that a resumed run draws the same ones."""

import random
import zlib

import numpy as np
import torch


def derive_seed(seed: int, stream: str, *position: int) -> int:
    """The seed of one stream of random numbers at one position of a run, in 32 bits.

    Args:
        seed: The run's, at least 0.
        stream: What the numbers are for; streams are independent of each other.
        *position: Such as the epoch and the index of a sequence, or the step.
    """
    return int(np.random.SeedSequence([seed, zlib.crc32(stream.encode()), *position]).generate_state(1)[0])


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, those of all devices included.

    Args:
        seed: From 0 to 2**32 - 1.
    """
    seed_host(seed)
    torch.manual_seed(seed)


def seed_host(seed: int) -> None:
    """Seed those of them that draw on the CPU alone, which is a hundred times as fast.

    Args:
        seed: From 0 to 2**32 - 1.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)

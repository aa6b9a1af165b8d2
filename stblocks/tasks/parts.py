"""Parts of data sets, what a model must know of their frames, and data that must be named."""

from typing import Any

from torch.utils.data import Dataset, Subset

from ..data import Sequence, SequenceWindows


def frame_options(sample: Sequence) -> dict[str, Any]:
    """`in_channels` and `image_size` of `create_model` for frames as those of a sequence."""
    _, channels, height, width = sample.past.shape
    return {"in_channels": channels, "image_size": (height, width)}


def hold_out(data: SequenceWindows, fraction: float, overlapping: int = 0) -> list[Dataset[Sequence]]:
    """The windows to train on, and the last ones, which are held out to validate on.

    Args:
        data: All of them, in order.
        fraction: Share to hold out, in (0, 1).
        overlapping: How many windows before one may share frames with it; so many are in neither part.

    Raises:
        ValueError: If nothing is left to train on.
    """
    first = len(data) - max(1, round(fraction * len(data)))
    if first <= overlapping:
        raise ValueError(
            f"The data have {len(data)} windows to train on, too few to hold some of them out; name more of the data."
        )
    return [Subset(data, range(first - overlapping)), Subset(data, range(first, len(data)))]


def required(data: str | None, what: str) -> str:
    """The path of data that nothing stands in for.

    Raises:
        ValueError: If it is not given.
    """
    if data is None:
        raise ValueError(f"data must name {what}, as none are made here: pass --data PATH.")
    return data

"""Which sizes of frames a file can be for."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from ..core import Forecaster, RecurrentForecaster
from .programs import Step, some_frames

#: The largest number of units, see `Exported`, that a side of a frame may have, and of sequences in a batch.
MOST = 4096
#: How many times `size_multiple` a unit may be.
FACTORS = (1, 2, 4, 8, 16, 32)


def find_unit(model: Forecaster, size: tuple[int, int], *, required: bool) -> int | None:
    """The least side of frames at which no map needs padding, so that every map grows as its frame does.

    `None` if there is none, or `size` is not among its multiples from the second on. Frames of more than three times
    `size` are not tried, on which some models take all memory.

    Raises:
        ValueError: If that is so, but it is required.
    """
    unit: int | None = None
    reason = f"this model is bound to image_size={model.image_size} by a weight for every position"
    if model.image_size is None:
        units = [unit for factor in FACTORS if (unit := factor * model.size_multiple) <= min(size)]
        unit = next((each for each in units if _grows(model, each)), None)
        reason = f"maps in this model do not grow as frames of multiples of {model.size_multiple} do"
    if unit is not None and any(side % unit or side < 2 * unit for side in size):
        reason = f"image_size must then be multiples of {unit} from {2 * unit} on, and is {size}"
        unit = None
    if unit is None and required:
        raise ValueError(f"dynamic_size must be False for this model and image_size: {reason}.")
    return unit


def _grows(model: Forecaster, unit: int) -> bool:
    """Whether every map of a model grows exactly as frames of multiples of a unit do."""
    try:
        once, twice, thrice = (_measures(model, times * unit) for times in (1, 2, 3))
    except ValueError:  # such as a map that SE cannot cut into its windows
        return False
    if not len(once) == len(twice) == len(thrice):
        return False
    measures = zip(once, twice, thrice, strict=True)
    return all((b, c) == (a * 2**power, a * 3**power) for (a, _), (b, _), (c, power) in measures)


def _measures(model: Forecaster, side: int) -> list[tuple[int, int]]:
    """The number of values given to each module, the sides of states, and by which power of `side` each is to grow.

    Maps, and tokens in windows, grow by the second, unless they are padded; what was pooled does not.
    """
    found: list[tuple[int, int]] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        for value in given:
            if isinstance(value, Tensor):
                pooled = value.ndim < 3 or value.shape[-2:] == (1, 1)
                found.append((value.numel(), 0 if pooled else 2))

    hooks = [part.register_forward_pre_hook(note) for part in model.modules()]
    try:
        with torch.no_grad():
            if not isinstance(model, RecurrentForecaster):
                model(some_frames(model, (side, side), model.in_frames), 1)  # type: ignore[arg-type]
                return found
            frame = some_frames(model, (side, side))
            model.step(frame)
            return found + [(value.shape[-2], 1) for value in Step(model, frame).start(frame)]
    finally:
        for hook in hooks:
            hook.remove()


def free_axes(unit: int | None, tensors: list[Tensor]) -> list[dict[int, Any]]:
    """Which axes of these tensors, the frames first, have any length: the batch, and rows and columns by the unit."""
    batch = Dim("batch", min=1, max=MOST)
    if unit is None:
        return [{0: batch} for _ in tensors]
    sides = Dim("rows", min=2, max=MOST), Dim("columns", min=2, max=MOST)
    found = []
    for tensor in tensors:
        sizes = zip(tensor.shape[-2:], tensors[0].shape[-2:], strict=True)
        of_unit = [length * unit // whole for length, whole in sizes]
        axes = [side if times == 1 else times * side for side, times in zip(sides, of_unit, strict=True)]
        found.append({0: batch, tensor.ndim - 2: axes[0], tensor.ndim - 1: axes[1]})
    return found

"""A model as a file for other programs: the step of a recurrent one, the whole forecast of a direct one."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..borders.checks import check_image_size
from ..core import AtOnce, Forecaster, RecurrentForecaster
from .programs import Start, Step, WholeForecast, some_frames
from .sizes import find_unit
from .writing import KINDS, write_program


@dataclass(frozen=True)
class Exported:
    """What `export_step` has written.

    Args:
        path: The file.
        start: The file that makes the state before the first frame, for a recurrent model.
        inputs: Names of its inputs; those of the state are the names of what `start` returns, too.
        outputs: Names of its outputs: the forecast, then the new state in the same order.
        unit: H and W of frames are multiples of this, at least twice it; pad frames by repeating the border, and crop
            the forecast. `None` if they must be those of the `image_size` exported for. An ONNX file has it in its
            metadata, as `unit`.
    """

    path: Path
    start: Path | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    unit: int | None


def export_step(
    model: Forecaster, path: str | Path, image_size: Sequence[int], *, dynamic_size: bool | None = None
) -> Exported:
    """Write a model as ONNX (`.onnx`) or as a torch program (`.pt2`), which run without this library.

    Of a recurrent model it is one step, `frame, *state -> forecast, *state`: the forecast of the next frame, which is
    also what is fed beyond the last observed one. Beside `model.onnx`, a small `model.start.onnx` makes the state that
    comes first out of any frame, of which it looks at the shape alone. Of a direct model it is `frames -> forecast`,
    all `in_frames` to all `out_frames`. Batches may have any size, and frames any that is a multiple of
    `Exported.unit`, but where the model is bound to `image_size`. Neither padding and cropping nor scaling is in it.

    A selective scan (VMRNN, `translator="vss"`) is traced for the size of one map: such a model needs
    `dynamic_size=False`. In a `.pt2` file it is an operator of this library: `import stblocks` first.

    Args:
        model: It is exported as it is in `eval()`, and stays as it was.
        path: Where to; what is there is replaced.
        image_size: `(H, W)` of a frame.
        dynamic_size: Whether frames of other sizes are to be taken; by default they are where the model is not bound to
            `image_size` and that is among the sizes.

    Raises:
        ValueError: If the model is of neither kind, does not know its `in_channels`, or cannot be exported so; if
            `path` has another ending; if `image_size` would have to be padded, or is not among the sizes.
        ModuleNotFoundError: If the extra `export` is not installed, for ONNX.
    """
    path = Path(path)
    if path.suffix not in KINDS:
        raise ValueError(f"path must end in {' or '.join(KINDS)}, got {path}.")
    if path.suffix == ".onnx" and not (find_spec("onnx") and find_spec("onnxscript")):
        raise ModuleNotFoundError("Writing ONNX needs onnx and onnxscript: pip install 'stblocks[export]'.")
    check_image_size(image_size)
    if not isinstance(model, RecurrentForecaster | AtOnce):
        raise ValueError(
            f"model must be a RecurrentForecaster, DirectForecaster or SequenceForecaster, got {type(model).__name__}."
        )
    model = deepcopy(model).eval().requires_grad_(False)
    size = (image_size[0], image_size[1])
    unit = None if dynamic_size is False else find_unit(model, size, required=dynamic_size is True)
    if unit is None and any(side % model.size_multiple for side in size):
        raise ValueError(
            f"image_size must be multiples of {model.size_multiple}, since padding is not in the file, got {size}."
        )
    try:
        return _write(model, path, size, unit)
    except ValueError:  # such as of GFM, which takes another path where a map has less than 4 rows
        if unit is None or any(side % (2 * unit) or side < 4 * unit for side in size):
            raise
    return _write(model, path, size, 2 * unit)


def _write(model: RecurrentForecaster | AtOnce, path: Path, size: tuple[int, int], unit: int | None) -> Exported:
    """Trace a model for frames of multiples of a unit, or of one size, and write it."""
    sides, others = size, []
    if unit is not None:
        sides = (3 * unit, 4 * unit)  # different, and large enough to stand for others: these, less and more than it
        others = [(2 * unit, 5 * unit), (5 * unit, 2 * unit), size]
    if not isinstance(model, RecurrentForecaster):
        frames, *again = (some_frames(model, each, model.in_frames) for each in (sides, *others))
        program = WholeForecast(model)
        write_program(program, path, {"frames": frames}, ("forecast",), unit, [(each,) for each in again])
        return Exported(path, None, ("frames",), ("forecast",), unit)
    frame, *again = (some_frames(model, each) for each in (sides, *others))
    step = Step(model, frame)
    given = {"frame": frame, **dict(zip(step.names, step.start(frame), strict=True))}
    after = tuple(f"{name}.after" for name in step.names)
    start = path.with_suffix(f".start{path.suffix}")
    new = path.with_suffix(f".start.new{path.suffix}")  # until the step is there, too: neither goes without the other
    try:
        write_program(Start(step), new, {"frame": frame}, tuple(step.names), unit, [(each,) for each in again])
        states = [(each, *step.start(each)) for each in again]
        write_program(step, path, given, ("forecast", *after), unit, states)
        new.replace(start)
    finally:
        new.unlink(missing_ok=True)
    return Exported(path, start, tuple(given), ("forecast", *after), unit)

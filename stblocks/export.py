"""A model as a file for other programs: the step of a recurrent one, the whole forecast of a direct one."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.utils._pytree import tree_flatten, tree_unflatten

from .borders.checks import check_image_size
from .borders.files import write_atomically
from .core import AtOnce, Cell, Forecaster, Parallel, RecurrentForecaster, RecurrentStack

#: Endings of the files that can be written.
KINDS = (".onnx", ".pt2")
#: The largest number of units, see `Exported`, that a side of a frame may have, and of sequences in a batch.
MOST = 4096
#: How many times `size_multiple` a unit may be.
FACTORS = (1, 2, 4, 8, 16, 32)


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
    unit = None if dynamic_size is False else _unit(model, size, required=dynamic_size is True)
    if unit is None and any(side % model.size_multiple for side in size):
        raise ValueError(
            f"image_size must be multiples of {model.size_multiple}, since padding is not in the file, got {size}."
        )
    sides = size if unit is None else (3 * unit, 4 * unit)  # different, and large enough to stand for others
    if not isinstance(model, RecurrentForecaster):
        frames = _frames(model, sides, model.in_frames)
        program = _Forecast(model)
        again = None if unit is None else (_frames(model, (2 * unit, 5 * unit), model.in_frames),)
        _write(program, path, {"frames": frames}, ("forecast",), unit, again)
        return Exported(path, None, ("frames",), ("forecast",), unit)
    frame = _frames(model, sides)
    step = _Step(model, frame)
    given = {"frame": frame, **dict(zip(step.names, step.start(frame), strict=True))}
    after = tuple(f"{name}.after" for name in step.names)
    start = path.with_suffix(f".start{path.suffix}")
    again = None if unit is None else (_frames(model, (2 * unit, 5 * unit)),)
    _write(_Start(step), start, {"frame": frame}, tuple(step.names), unit, again)
    _write(step, path, given, ("forecast", *after), unit, again and (*again, *step.start(*again)))
    return Exported(path, start, tuple(given), ("forecast", *after), unit)


class _Forecast(nn.Module):
    """The whole forecast of a direct model."""

    def __init__(self, model: AtOnce) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        return (self.model(frames, self.model.out_frames),)


class _Step(nn.Module):
    """The step of a recurrent model, with its state as a row of tensors; without what a step never reads."""

    def __init__(self, model: RecurrentForecaster, frame: Tensor) -> None:
        super().__init__()
        self.model = model
        state = _carried(model.stack, model.stack.init_state(model.stem(frame)))
        self.names = [*_names(state)]
        self.layout = tree_flatten(state)[1]

    def start(self, frame: Tensor) -> list[Tensor]:
        """The state before the first frame."""
        return tree_flatten(_carried(self.model.stack, self.model.stack.init_state(self.model.stem(frame))))[0]

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        forecast, after = self.model.step(frame, tree_unflatten(list(state), self.layout))
        return (forecast, *tree_flatten(_carried(self.model.stack, after))[0])


def _carried(layer: nn.Module, state: Any) -> Any:
    """The state of a layer as its next step needs it: the slots it starts with, in one order whatever made them."""
    if isinstance(layer, Cell):
        return {name: state[name] for name in sorted(layer.starts) if name in state}
    if isinstance(layer, RecurrentStack):
        if unknown := [number for number, own in enumerate(state["layers"]) if own is None]:
            raise ValueError(
                f"layer {unknown[0]} of the stack must know its state beforehand: the layer below it "
                f"needs a method output_shape((B, C, H, W))."
            )
        layers = [_carried(*each) for each in zip(layer.layers, state["layers"], strict=True)]
        return {"layers": layers, "zigzag": dict(sorted(state["zigzag"].items()))}
    if isinstance(layer, Parallel):
        return [_carried(*each) for each in zip(layer.branches, state, strict=True)]
    return state


class _Start(nn.Module):
    def __init__(self, step: _Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.step.start(frame))


def _names(state: Any, prefix: str = "state") -> Iterator[str]:
    """A name for each tensor of a state, in the order of `tree_flatten`."""
    if isinstance(state, Tensor):
        yield prefix
        return
    for key, value in state.items() if isinstance(state, dict) else enumerate(state):
        yield from _names(value, f"{prefix}.{key}")


def _frames(model: Forecaster, size: tuple[int, int], *frames: int) -> Tensor:
    if model.in_channels is None:
        raise ValueError("model must know its in_channels to be exported; give them to its constructor.")
    some = next(model.parameters())
    return torch.rand(2, *frames, model.in_channels, *size).to(some)


def _unit(model: Forecaster, size: tuple[int, int], *, required: bool) -> int | None:
    """The least side of frames at which no map needs padding, so that every map grows as its frame does.

    `None` if there is none, or `size` is not among its multiples from the second on.

    Raises:
        ValueError: If that is so, but it is required.
    """
    unit: int | None = None
    reason = f"this model is bound to image_size={model.image_size} by a weight for every position"
    if model.image_size is None:
        units = [factor * model.size_multiple for factor in FACTORS]
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
    once, twice, thrice = (_measures(model, times * unit) for times in (1, 2, 3))
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
                model(_frames(model, (side, side), model.in_frames), 1)  # type: ignore[arg-type]
                return found
            frame = _frames(model, (side, side))
            model.step(frame)
            return found + [(value.shape[-2], 1) for value in _Step(model, frame).start(frame)]
    finally:
        for hook in hooks:
            hook.remove()


def _dims(unit: int | None, tensors: list[Tensor]) -> list[dict[int, Any]]:
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


def _write(
    module: nn.Module,
    path: Path,
    given: dict[str, Tensor],
    outputs: tuple[str, ...],
    unit: int | None,
    again: tuple[Tensor, ...] | None,
) -> None:
    """Trace a module, which takes these tensors in this order, try it on those of another size, and write it."""
    first, *rest = _dims(unit, [*given.values()])
    shapes = (first, tuple(rest)) if isinstance(module, _Step) else (first,)
    with _told(path.suffix), torch.no_grad():
        program = torch.export.export(module, tuple(given.values()), dynamic_shapes=shapes, strict=False)
        if unit is not None and any("selective_scan" in str(node.target) for node in program.graph.nodes):
            raise NotImplementedError("a selective scan is as many steps as the map it was traced for needs")
        if again is not None:
            program.module()(*again)  # a size that tracing has taken for a constant fails here
        if path.suffix == ".onnx":
            _write_onnx(program, path, [*given], [*outputs], unit)
        else:
            write_atomically(path, lambda file: torch.export.save(program, file))


def _write_onnx(program: ExportedProgram, path: Path, inputs: list[str], outputs: list[str], unit: int | None) -> None:
    written = torch.onnx.export(program, dynamo=True, input_names=inputs, output_names=outputs, verbose=False)
    assert written is not None
    if unit is not None:
        written.model.metadata_props["unit"] = str(unit)
    write_atomically(path, lambda file: file.write(written.model_proto.SerializeToString()))


@contextmanager
def _told(kind: str) -> Iterator[None]:
    """Within the block, what torch's exporters warn of is not shown, and what they cannot do is a `ValueError`."""
    logs = [logging.getLogger(name) for name in ("torch", "onnxscript", "onnx_ir")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # of many types, most of them private
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"This model cannot be written as {kind} for frames of these sizes ({type(error).__name__}: {reason}); "
            f"pass dynamic_size=False, or take the other kind of {' and '.join(KINDS)}."
        ) from error
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)

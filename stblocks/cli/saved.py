"""A saved model, and what it knows of its data: what `predict` and `evaluate` share."""

import argparse
import math
import statistics
import warnings
from typing import Any

from ..borders.command_line import Parser

DEVICE = "such as cpu or cuda:1; by default a GPU if there is one"


def add_source(parser: Parser) -> None:
    """The arguments that say which model, which frames, and what they are."""
    parser.add_argument(
        "checkpoint", help="directory of a saved model, such as runs/NAME/model, or its name on the hub"
    )
    parser.add_argument("frames", help=".npy, .npz, .nc, .zarr or .gif, or a folder of images")
    group = parser.add_argument_group("what of the frames")
    group.add_argument("--key", metavar="NAME", help="array of an .npz file")
    group.add_argument("--variable", nargs="+", metavar="NAME", help="of a NetCDF or zarr file, one for each channel")
    group.add_argument("--axes", nargs="+", type=_axis, metavar="AXIS=NAME", help="names of time, lat and lon there")
    group.add_argument("--values", choices=("codes", "physical"), help="what integers in .npy and .npz files are")
    group.add_argument(
        "--fill", choices=("zero", "last"), help="missing cells become 0 in model units, or the cell's last known value"
    )
    group = parser.add_argument_group("what 0 and 1 are to a model that does not say", "(or says wrong)")
    group.add_argument("--offset", type=float, metavar="X", help="the physical value that is 0 to the model")
    group.add_argument("--scale", type=float, metavar="X", help="physical units per model unit")
    group.add_argument("--unit", metavar="NAME", help="the physical unit")
    parser.add_argument("--device", help=DEVICE)


def sequence_number(text: str) -> int:
    """The number of a sequence, for `type=`."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {value}")
    return value


sequence_number.__name__ = "integer"


def _axis(text: str) -> tuple[str, str]:
    axis, _, name = text.partition("=")
    if axis not in ("time", "lat", "lon") or not name:
        raise argparse.ArgumentTypeError(f"must be such as lat=north, of time, lat or lon, got {text!r}")
    return axis, name


def load_model(options: argparse.Namespace) -> tuple[Any, Any]:
    """The model on its device, and the `DataSpec` of its data, as the options have it where they say otherwise.

    Raises:
        ValueError: If there is no such model or device, or it is not known what 0 and 1 are to it.
    """
    from dataclasses import replace

    from ..core import Forecaster
    from ..data.spec import spec_of

    model = Forecaster.from_pretrained(options.checkpoint).float()  # as frames are read
    stored = spec_of(model)
    settings = {name: getattr(options, name) for name in ("offset", "scale", "unit", "fill")}
    given = {name: value for name, value in settings.items() if value is not None}
    if len({"offset", "scale"} & given.keys()) == 1:
        raise ValueError("--offset and --scale belong together: physical = model * scale + offset.")
    spec = replace(stored, **given)
    if stored.offset is not None and (spec.offset, spec.scale) != (stored.offset, stored.scale):
        warnings.warn(
            f"--offset and --scale take the place of offset={stored.offset} and scale={stored.scale}, which "
            f"{options.checkpoint} says of itself; leave them out unless that is wrong.",
            stacklevel=2,
        )
    if stored.fill not in (None, spec.fill):
        warnings.warn(
            f"--fill {spec.fill} takes the place of {stored.fill!r}, which {options.checkpoint} was trained with.",
            stacklevel=2,
        )
    if spec.offset is None:
        raise ValueError(
            f"{options.checkpoint} does not say what 0 and 1 are to the model; give --offset and --scale, as in "
            f"physical = model * scale + offset, such as --offset 0 --scale 1 for frames in model units."
        )
    model.data_spec = spec.to_dict()
    return to_device(model, options.device), spec


def to_device(model: Any, device: str | None) -> Any:
    """A model on a device; on a GPU if there is one, where none is named.

    Raises:
        ValueError: If there is no such device.
    """
    import torch

    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return model.to(name)
    except (RuntimeError, AssertionError) as error:  # torch asserts where it is built without CUDA
        raise ValueError(f"--device must be one that there is, got {name}: {str(error).splitlines()[0]}") from error


def note_differences(spec: Any, source: Any, size: tuple[int, ...]) -> None:
    """Warn where frames are not like the training data: in time step, in size, in order of variables and in units."""
    from ..data.times import seconds_between
    from ..formats.levels import channel_names

    if spec.step and source.time is not None and len(source.time) > 1:
        step = float(statistics.median(seconds_between(source.time)))
        if abs(step - spec.step) > 0.05 * spec.step:
            warnings.warn(f"frames are {step:g} s apart, those of the training data {spec.step:g} s.", stacklevel=2)
    if (trained := spec.image_size) is not None and tuple(size) != trained:
        text = f"frames are {size[0]} x {size[1]}, those of the training data {trained[0]} x {trained[1]}."
        warnings.warn(text, stacklevel=2)
    names, known = [name for array in source.arrays for name in channel_names(array)], [*(spec.variables or ())]
    if names != known and sorted(names) == sorted(known):
        order = f"{', '.join(names)}, in the training data {', '.join(known)}"
        warnings.warn(f"variables are in the order {order}.", stacklevel=2)
    channel = 0
    for array in source.arrays:
        held, unit = array.attrs.get("units"), spec.scaler().channel(channel).unit
        if held and unit and held != unit:
            warnings.warn(f"{array.name} is in {held}, the training data in {unit}.", stacklevel=2)
        channel += math.prod(array.shape[1:-2])


def model_device(model: Any) -> Any:
    """Where its weights are; some models have none."""
    return next((parameter.device for parameter in model.parameters()), "cpu")


def choose(options: argparse.Namespace, model: Any, spec: Any, sequence: Any) -> Any:
    """What of the frames is meant."""
    from ..formats.source import Choice

    return Choice(
        scaler=spec.scaler(),
        channels=model.in_channels,
        names=spec.variables or (),
        key=options.key,
        sequence=sequence,
        values=options.values,
        variables=None if options.variable is None else tuple(options.variable),
        axes=None if options.axes is None else dict(options.axes),
    )

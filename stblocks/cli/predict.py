"""Forecast from a saved model and frames on disk, in physical units, and write the forecast.

stblocks predict runs/radar/model radar/ --horizon 10 --out forecast.gif
stblocks predict runs/radar/model radar.npz --key test --sequence 3 --values codes --horizon 10 --out forecast.nc
stblocks predict runs/weather/model era5.nc --variable t2m --horizon 24 --out heat.nc

The model's config.json says what 0 and 1 are to it, and its unit. PNG, GIF and other pixels are codes, whose whole
range is the model's 0 to 1. A direct model forecasts from as many of the last frames as it takes, a recurrent one from
all, or the --last N. NetCDF and zarr keep axes, units and coordinates; their times go on.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..borders.command_line import Parser, positive
from .saved import add_source, choose, load_model, model_device, note_differences, sequence_number


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command."""
    add_source(parser)
    parser.add_argument("--horizon", type=positive, required=True, metavar="N", help="frames to forecast")
    parser.add_argument(
        "--out", type=Path, required=True, help=".npy, .npz, .nc, .zarr or .gif, or a folder of PNG files"
    )
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--last", type=positive, metavar="N", help="forecast from the last N frames")
    parser.add_argument("--sequence", type=sequence_number, metavar="I", help="of an array of several sequences")
    options = parser.parse_args(arguments)
    from ..formats.read import open_sources  # slow to import
    from ..formats.write import check_out, write_forecast

    check_out(options.out, options.force)
    model, spec = load_model(options)
    (source,) = open_sources(options.frames, choose(options, model, spec, options.sequence))
    made = forecast(options, model, spec, source)
    write_forecast(options.out, made)
    frames, *frame = made.values.shape
    size = " x ".join(map(str, frame))
    print(f"{options.out}: {frames} frames of {size} after {len(made.past)}, {reach(made)}")


def reach(made: Any) -> str:
    """The least and the largest value of a forecast, by channel where these have units of their own."""

    def told(name: str, values: Any, channel: int) -> str:
        return f"{name} {values.min():.4g} to {values.max():.4g} {made.unit(channel)}".strip()

    channels = range(made.values.shape[1])
    if len({made.unit(channel) for channel in channels}) == 1:
        return told("", made.values, 0)
    names = made.names if len(made.names) == len(channels) else [f"channel {channel}" for channel in channels]
    return ", ".join(told(name, made.values[:, channel], channel) for channel, name in enumerate(names))


def forecast(options: argparse.Namespace, model: Any, spec: Any, source: Any) -> Any:
    """The forecast of a source.

    Raises:
        ValueError: If there are too few frames, values are infinite, or missing where it is not known how to fill them,
            or the forecast is not finite.
    """
    from dataclasses import replace

    import numpy as np
    import torch

    from ..data.fill import fill_past
    from ..data.ranges import is_unusual
    from ..data.sequence import to_tensor
    from ..formats.continued import as_text, seconds_apart
    from ..formats.forecast import Forecast

    *before, source = source.parts()  # frames before a hole lead to no forecast of what comes after it
    length = source.shape[0]
    takes = getattr(model, "in_frames", None) or options.last
    wanted = takes or length
    if options.last not in (None, wanted):
        raise ValueError(
            f"--last must be {wanted}, the frames that this model takes, got {options.last}; leave it out."
        )
    after = f" after the hole in time before {as_text(source.time[0])}" if before else ""
    if length < wanted:
        raise ValueError(f"{options.frames} must hold {wanted} frames at least{after}, got {length}.")
    if after and takes is None:
        warnings.warn(f"the forecast is made from the {length} frames{after}.", stacklevel=2)
    time = None if source.time is None else source.time[length - wanted :]
    step = None if time is None else seconds_apart(time)
    note_differences(spec, source, source.shape[-2:])
    scaler = spec.scaler()
    physical = to_tensor(source.series[length - wanted : length])
    past = scaler.to_model(physical).float()
    if broken := int(past.isinf().sum()):
        raise ValueError(
            f"{options.frames} has {broken} infinite values in the last {wanted} frames; mark what is missing by NaN, "
            f"or take frames after them with --last."
        )
    if missing := int(past.isnan().sum()):
        if spec.fill is None:
            raise ValueError(
                f"{options.frames} has {missing} missing values (NaN) in the last {wanted} frames, and the model does "
                f"not say how to fill them; give --fill zero or --fill last, or take frames after them with --last."
            )
        warnings.warn(f"{missing} of {past.numel()} values are missing; filled by {spec.fill!r}.", stacklevel=2)
        past = fill_past(past, spec.fill)
    low, high = (float(each) for each in past.aminmax())
    if (scaler.offset, scaler.scale) != (0, 1) and is_unusual(low, high):
        warnings.warn(
            f"frames reach from {low:.3g} to {high:.3g} in model units, far from 0 to 1 and from standardised values: "
            f"are their unit, --values, --offset and --scale right?",
            stacklevel=2,
        )
    with torch.no_grad():
        frames = model(past[None].to(model_device(model)), options.horizon)[0].cpu()
    if broken := int((~frames.isfinite()).sum()):
        first = int((~frames.isfinite()).flatten(1).any(dim=1).nonzero()[0]) + 1
        raise ValueError(
            f"The forecast has {broken} values that are not finite, first in frame {first}; nothing is written. It was "
            f"made from {past.min():.3g} to {past.max():.3g} in model units: are --offset, --scale and --values right?"
        )
    values = scaler.to_physical(frames.double()).float().numpy()
    kept = replace(source, time=time)
    step = step if step is not None else spec.step
    return Forecast(values, np.asarray(physical.float()), scaler, kept, step, spec.variables or ())

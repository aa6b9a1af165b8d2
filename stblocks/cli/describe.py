"""What `stblocks info` says of a model: what it takes, how it is built, and its options."""

import inspect
import json
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from ..core import ModelEntry, create_model, model_entry
from ..flops import count_multiply_adds
from ..speed import REPEATS, frames_per_second
from .columns import aligned, number, shape
from .diagram import model_diagram
from .saved import model_device, to_device


class Setting(NamedTuple):
    """What a model forecasts from what."""

    in_channels: int = 1
    image_size: Sequence[int] = (64, 64)
    in_frames: int = 10
    horizon: int = 10


#: The settings of published figures, by data set.
SETTINGS = {
    "CIKM2017": Setting(in_frames=5),
    "Moving MNIST": Setting(),
    "TaxiBJ": Setting(in_channels=2, image_size=(32, 32), in_frames=4, horizon=4),
}


def model_info(
    name: str,
    *,
    in_channels: int | None = None,
    image_size: Sequence[int] | None = None,
    in_frames: int | None = None,
    horizon: int | None = None,
    batch: int = 1,
    speed: bool = False,
    device: str | None = None,
    **overrides: Any,
) -> str:
    """Parameters, multiply-adds, shapes and cells of a model; published figures too, if they are of the same.

    What is left out is as in the setting of the published figures; of models with a fixed number of frames, as many;
    of recurrent ones with other channels out than in, one frame to forecast.

    Args:
        name: One of `list_models()`.
        in_channels: See `create_model`.
        image_size: See `create_model`.
        in_frames: Frames to forecast from.
        horizon: Frames to forecast.
        batch: Sequences at once.
        speed: Build the model with random weights, and time its forecasts, too.
        device: Where; by default on a GPU if there is one.
        **overrides: Options of the model.

    Raises:
        ValueError: If there is no such model or device, or an option has a value it cannot have.
        TypeError: If the model has no such option.
    """
    entry = model_entry(name)
    setting = SETTINGS.get(entry.dataset, Setting())
    if in_frames is not None and "in_frames" in inspect.signature(entry.build).parameters:
        overrides["in_frames"] = in_frames
    channels, (height, width) = in_channels or setting.in_channels, image_size or setting.image_size
    with torch.device("meta"):
        model = create_model(name, channels, (height, width), **overrides)
        if in_frames is None:
            in_frames = getattr(model, "in_frames", setting.in_frames)
        past = torch.empty(batch, in_frames, channels, height, width)
    if horizon is None:  # without a feedback, a recurrent model with other channels out than in forecasts one frame
        horizon = getattr(model, "out_frames", setting.horizon if model.out_channels == channels else 1)
    work = count_multiply_adds(model, past, horizon)
    parts = [(part, count) for part, child in model.named_children() if (count := _parameters(child))]
    defaults = {option: given.default for option, given in inspect.signature(entry.build).parameters.items()}
    defaults |= {"model": name, "in_channels": setting.in_channels, "image_size": setting.image_size}
    same_model = model.config == json.loads(json.dumps(defaults))
    same_frames = (batch, in_frames, horizon) == (1, setting.in_frames, setting.horizon)
    rows = [
        ["", "here", "published"],
        ["parameters", number(_parameters(model)), number(entry.parameters)],
        *([f"  {part}", number(count), ""] for part, count in parts),
        ["multiply-adds", number(work.products), number(entry.flops if same_frames else None)],
        *([["  with the scan", number(work.total), ""]] if work.formulas else []),
    ]
    lines = []
    if speed:
        built = to_device(create_model(name, channels, (height, width), **overrides), device)
        here = torch.device(model_device(built))
        rate = frames_per_second(built, torch.rand(past.shape, device=here), horizon)
        rows.append(["frames a second", f"{rate:,.1f}", "-"])
        lines = [f"speed      {_timed(here, batch * horizon / rate)}"]
    other = "" if same_model and same_frames else f"; with other {'frames' if same_model else 'options'}"
    if not same_model:
        rows = [row[:2] for row in rows]
    options = (f"{option}={json.dumps(value)}" for option, value in model.config.items() if option != "model")
    lines += [
        f"input      {shape(past.shape)}",
        f"output     {shape((batch, horizon, model.out_channels, height, width))}",
        f"published  {_published(entry)}{'' if entry.parameters is None else other}",
        textwrap.fill(f"options    {' '.join(options)}", 100, subsequent_indent=" " * 11),
    ]
    table = aligned(rows, "<>>"[: len(rows[0])])
    return "\n".join([name, "", table, "", *lines, "", model_diagram(model)])


def _published(entry: ModelEntry) -> str:
    """Where the published figures are from, and what they are of."""
    if entry.dataset not in SETTINGS:
        return "; ".join(filter(None, (entry.paper, entry.dataset))) or "nowhere"
    channels, size, past, future = SETTINGS[entry.dataset]
    return f"{entry.paper}; {entry.dataset}, one sequence: {past} frames to {future} of {shape((channels, *size))}"


def _timed(device: torch.device, seconds: float) -> str:
    """How the speed was measured."""
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    return f"{seconds:.3g} s a forecast, median of {REPEATS}; {on}{threads}, float32 weights, torch {torch.__version__}"


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())

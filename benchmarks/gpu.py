"""Training steps on a GPU: kernel by kernel and as one CUDA graph; the scan; forms of norms and convolutions.

`python -m benchmarks.gpu [names] [--repeats N] [--compiled] [--reference PATH] [--json FILE]`

A step is forward, L1 + L2 and backward, without the optimiser. Times are medians of runs in turn, in one process on one
card. `--compiled` adds models whose cells are compiled, which takes minutes. `--reference` is the folder that holds
the released package `openstl`, whose models are timed beside ours. Without a GPU it says so, and that is all.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measure import paired
from benchmarks.models import SETTINGS, Setting
from benchmarks.reference import REFERENCES, released_step, unusable
from benchmarks.scan import draw
from stblocks import create_model, lay_channels_last
from stblocks.blocks.layers import Dilated
from stblocks.core import Cell
from stblocks.ops.map_norm import by_groups, by_rows
from stblocks.ops.selective_scan import selective_scan
from stblocks.runtime.graph import Graphed
from stblocks.runtime.recorder import Cuda, Recorder

Table = dict[str, dict[str, float]]
Make = Callable[[torch.device], Recorder]

MODELS: dict[str, Setting] = {
    "gmg_l": SETTINGS["gmg_l"]._replace(batch=16),
    "predrnn": SETTINGS["predrnn"]._replace(batch=16, in_frames=10),
    "simvpv2_s": SETTINGS["simvpv2_s"]._replace(batch=16),
    "vmrnn_b": SETTINGS["vmrnn_b"]._replace(batch=16),
    "cms_lstm": SETTINGS["cms_lstm"]._replace(batch=8),
}
PRECISIONS = ("fp32", "tf32", "bf16")
SCANS = ((4, 1024, 64), (1, 1024, 1024), (16, 512, 1024), (8, 1024, 4096), (1, 1024, 16384))
#: Maps of CMS-LSTM, whose layer norms have few long rows.
NORMED = ((8, 64, 16, 16), (8, 128, 16, 16), (8, 192, 16, 16), (8, 256, 16, 16))
#: Maps of SimVPv2-S.
DILATED = ((16, 512, 16, 16), (16, 640, 16, 16))


@contextmanager
def numerics(precision: str, device: torch.device, *, cache: bool = True) -> Iterator[None]:
    """Within the block, work is done in a precision: bfloat16 by autocast, and what that leaves in TF32."""
    kept = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=cache):
            yield
    finally:
        torch.set_float32_matmul_precision(kept[0])
        torch.backends.cudnn.allow_tf32 = kept[1]


def step(model: Any, horizon: int, precision: str, stay: bool, frames: Tensor) -> Tensor:
    """A training step; gradients stay where they are, as a graph needs them, or are made anew."""
    model.zero_grad(set_to_none=not stay)
    with numerics(precision, frames.device, cache=not stay):
        rollout = model.rollout(frames[:, :-horizon], horizon)
        error = rollout.frames.float() - frames[:, rollout.first :]
        loss: Tensor = error.abs().mean() + error.square().mean()
    loss.backward()
    return loss.detach()


def waited(device: torch.device, action: Callable[[], object]) -> Callable[[], None]:
    """An action that ends when the device has done it."""

    def run() -> None:
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def milliseconds(device: torch.device, actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Medians, run in turn."""
    seconds = paired({name: waited(device, action) for name, action in actions.items()}, repeats)
    return {name: 1e3 * statistics.median(each) for name, each in seconds.items()}


def kernels(device: torch.device, action: Callable[[], object]) -> int:
    """How many kernels, copies and fills an action launches."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        waited(device, action)()
    return sum(event.device_type == DeviceType.CUDA for event in profiler.events())


def made(name: str, setting: Setting, device: torch.device) -> tuple[nn.Module, Tensor]:
    """A model, and the sequences of a step."""
    torch.manual_seed(0)
    batch, in_frames, horizon, channels, side, options, _ = setting
    model = create_model(name, channels, (side, side), **options).to(device)
    lay_channels_last(model)  # as in training
    return model, torch.rand(batch, in_frames + horizon, channels, side, side, device=device)


def model_row(
    name: str,
    setting: Setting,
    device: torch.device,
    repeats: int,
    *,
    compiled: bool = False,
    reference: bool = False,
    recorder: Make = Cuda,
) -> dict[str, float]:
    """Milliseconds of a step in each way, kernels of an eager one in TF32, GB that the card holds at most."""
    model, frames = made(name, setting, device)
    if compiled:
        compile_cells(model)
    actions: dict[str, Callable[[], object]] = {
        f"eager {precision}": partial(step, model, setting.horizon, precision, False, frames)
        for precision in PRECISIONS
    }
    row: dict[str, float] = {}
    if device.type == "cuda":
        actions["eager tf32"]()  # libraries choose their kernels
        row["kernels"] = kernels(device, actions["eager tf32"])
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        actions["eager tf32"]()
        row["GB eager"] = torch.cuda.max_memory_reserved(device) / 1e9
    for precision in PRECISIONS[1:]:
        one = Graphed(partial(step, model, setting.horizon, precision, True), model, gradients=True, recorder=recorder)
        actions[f"graph {precision}"] = partial(one, frames)
    if reference and name in REFERENCES:
        released = released_step(name, frames, setting.horizon)
        for precision in PRECISIONS:
            actions[f"released {precision}"] = partial(in_precision, precision, device, released)
    row |= milliseconds(device, actions, repeats)
    if device.type == "cuda":
        row["GB with graphs"] = torch.cuda.max_memory_reserved(device) / 1e9
    return row


def in_precision(precision: str, device: torch.device, action: Callable[[], None]) -> None:
    """An action within `numerics`."""
    with numerics(precision, device):
        action()


def compile_cells(model: nn.Module) -> nn.Module:
    """The model, whose cells run compiled."""
    for part in model.modules():
        if isinstance(part, Cell):
            part.run = torch.compile(part.run, dynamic=False)  # type: ignore[method-assign]
    return model


def scan_row(shape: tuple[int, int, int], device: torch.device, repeats: int) -> dict[str, float]:
    """Milliseconds of the scan."""
    u, delta, A, B, C, D, bias = (value.detach().to(device).requires_grad_() for value in draw(*shape))

    def forward() -> Tensor:
        return selective_scan(u, delta, A, B, C, D, bias)  # type: ignore[return-value]

    def both() -> None:
        torch.autograd.grad(forward().sum(), (u, delta, A, B, C, D, bias))

    with torch.no_grad():
        row = milliseconds(device, {"forward": forward}, repeats)
    return row | milliseconds(device, {"both": both}, repeats)


def forms_row(
    forms: dict[str, Callable[[Tensor], Tensor]], shape: tuple[int, ...], device: torch.device, repeats: int
) -> dict[str, float]:
    """Milliseconds of forms of one layer, forward and backward, on channels-last maps."""
    maps = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last).requires_grad_()
    up = torch.randn_like(maps)
    row: dict[str, float] = {}
    for name, form in forms.items():
        with torch.no_grad():
            row |= milliseconds(device, {f"{name} forward": partial(form, maps)}, repeats)
    return row | milliseconds(
        device,
        {f"{name} both": partial(lambda form: form(maps).backward(up), form) for name, form in forms.items()},
        repeats,
    )


def norm_forms(shape: tuple[int, ...], device: torch.device) -> dict[str, Callable[[Tensor], Tensor]]:
    """Layer norm of whole maps."""
    place = (*shape[2:], shape[1])
    weight, bias = (torch.randn(place, device=device, requires_grad=True) for _ in range(2))
    return {
        "layer norm": lambda maps: by_rows(maps.movedim(1, -1), weight, bias, 1e-5).movedim(-1, 1),
        "group norm": lambda maps: by_groups(maps.movedim(1, -1), weight, bias, 1e-5).movedim(-1, 1),
    }


def dilated_forms(shape: tuple[int, ...], device: torch.device) -> dict[str, Callable[[Tensor], Tensor]]:
    """The dilated depth-wise convolution of gSTA."""
    layer = Dilated(shape[1], shape[1], 7, padding=3, dilation=3, groups=shape[1]).to(device)
    layer = layer.to(memory_format=torch.channels_last)
    return {
        "grids": layer._by_grids,
        "plain layout": layer._by_dilation,
        "channels-last": lambda maps: functional.conv2d(maps, layer.weight, layer.bias, 1, 9, 3, shape[1]),
    }


def markdown(title: str, table: Table) -> str:
    """A table, a row for each key."""
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    lines = [f"| {title} | {' | '.join(columns)} |", "|---" + "|--:" * len(columns) + "|"]
    for name, row in table.items():
        cells = (f"{row[column]:.4g}" if column in row else "" for column in columns)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=MODELS, metavar="name", help=", ".join(MODELS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compiled", action="store_true", help="compiled cells too")
    parser.add_argument("--reference", type=Path, help="folder that holds the package openstl")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - MODELS.keys():
        parser.error(f"no setting is known for {', '.join(unknown)}; there are {', '.join(MODELS)}")
    if not torch.cuda.is_available():
        print(f"No GPU is at hand (torch {torch.__version__}): nothing was timed.")
        return
    missing = "--reference names the folder that holds its package openstl"
    if options.reference is not None and (missing := unusable(options.reference) or ""):
        options.reference = None
    device, repeats = torch.device("cuda", 0), options.repeats
    head = {"card": torch.cuda.get_device_name(device), "torch": torch.__version__, "repeats": repeats}
    print(", ".join(f"{key} {value}" for key, value in head.items()) + "; milliseconds", flush=True)
    tables: dict[str, Table] = {}

    def add(title: str, name: object, row: Callable[[], dict[str, float]]) -> None:
        try:
            tables.setdefault(title, {})[str(name)] = found = row()
            print(f"{title} {name}: {found}", flush=True)  # kept, whatever comes after
        except Exception as error:  # one row that fails must not cost the others
            print(f"{title} {name} is left out: {type(error).__name__}: {error}", flush=True)
        torch.cuda.empty_cache()

    for name in options.names:
        row = partial(model_row, name, MODELS[name], device, repeats, reference=options.reference is not None)
        add("model", name, row)
        if options.compiled:
            add("model, cells compiled", name, partial(row, compiled=True))
    for shape in SCANS:
        add("scan (B, D, L)", shape, partial(scan_row, shape, device, repeats))
    for norm in NORMED:
        add("norm of maps", norm, partial(forms_row, norm_forms(norm, device), norm, device, 4 * repeats))
    for dilated in DILATED:
        forms = dilated_forms(dilated, device)
        add("dilated depth-wise convolution", dilated, partial(forms_row, forms, dilated, device, 4 * repeats))
    for title, table in tables.items():
        print("\n" + markdown(title, table))
    if options.reference is None:
        print(f"\nThe released code was not timed: {missing}.")
    if options.json:
        options.json.write_text(json.dumps(head | tables, indent=2) + "\n")


if __name__ == "__main__":
    main()

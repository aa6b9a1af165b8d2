"""What tiles cost: forecasts of a radar composite tile by tile, beside those of the whole field.

    python -m benchmarks.tiles radar-fmi.npz

The composite of 1226 x 760 pixels is put together from the test sequences of one event, which cover the part of it
where it rains; the rest is dry. A small model is trained on the training sequences for so many steps.
"""

import argparse
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stblocks import create_model, predict_tiled
from stblocks.data import Scaler, SequenceWindows
from stblocks.tiles import _starts
from stblocks.train.order import DataOrder, Drawn

SIDE, IN_FRAMES, OUT_FRAMES, COMPOSITE = 96, 5, 10, (1226, 760)
MODELS: dict[str, dict[str, Any]] = {
    "convlstm": {"channels": 16, "num_layers": 2},
    "gmg_m": {"channels": 16, "num_layers": 2, "kernel_size": 3},
}


def composite(path: str) -> tuple[Tensor, Tensor]:
    """Past and future `(1, T, 1, H, W)` of the whole field, and where it is covered `(H, W)`."""
    with np.load(path) as held:
        chosen = np.flatnonzero(held["test_event"] == 0)
        crops, rows, columns = (held[name][chosen] for name in ("test", "test_y", "test_x"))
    field, covered = np.zeros((crops.shape[1], *COMPOSITE), np.float32), np.zeros(COMPOSITE, bool)
    for crop, row, column in zip(crops, rows.astype(int), columns.astype(int), strict=True):
        place = (slice(row, row + crop.shape[1]), slice(column, column + crop.shape[2]))
        field[:, *place], covered[place] = crop / 255, True
    return torch.from_numpy(field)[None, :, None], torch.from_numpy(covered)


def trained(name: str, path: str, steps: int) -> nn.Module:
    """A model after so many steps on crops of the training sequences."""
    with np.load(path) as held:
        sequences = held["train"]
    pixels = Scaler(offset=0.0, scale=255.0)
    data = SequenceWindows(
        lambda i: sequences[i], IN_FRAMES, OUT_FRAMES, length=len(sequences), crop=(SIDE, SIDE), scaler=pixels
    )
    torch.manual_seed(0)
    model, order, drawn = create_model(name, **MODELS[name]), DataOrder(len(data), 4, 0), Drawn(data, False, 0)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for step in range(steps):
        samples = [drawn[draw] for draw in order.batch(step)]
        past, future = (torch.stack([sample[part] for sample in samples]) for part in range(2))
        loss = nn.functional.mse_loss(model(past, OUT_FRAMES), future)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def jump(frames: Tensor, rows: list[int], columns: list[int]) -> float:
    """Mean step between neighbours across these rows and columns."""
    down, right = frames.diff(dim=-2).abs(), frames.diff(dim=-1).abs()
    above, before = [row - 1 for row in rows], [column - 1 for column in columns]
    return float(torch.cat([down[..., above, :].flatten(), right[..., before].flatten()]).mean())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="radar-fmi.npz")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--overlaps", type=int, nargs="+", default=[0, 16, 32], help="in pixels")
    options = parser.parse_args(arguments)
    frames, covered = composite(options.data)
    past, future = frames[:, :IN_FRAMES], frames[:, IN_FRAMES:]
    warnings.simplefilter("ignore")  # that models see the whole map is what is measured
    print("| model | overlap | RMSE to whole x 1000 | to truth x 1000 (whole) | step across borders x 1000 (whole) |")
    print("|---|--:|--:|--:|--:|")
    for name in MODELS:
        model = trained(name, options.data, options.steps)
        with torch.no_grad():
            whole = model(past, OUT_FRAMES)
        errors = {"whole": (whole - future)[..., covered].square().mean().sqrt()}
        for overlap in options.overlaps:
            tiled = predict_tiled(model, past, OUT_FRAMES, SIDE, overlap)
            edges = []
            for field in COMPOSITE:
                starts = _starts(field, SIDE, overlap)
                edges.append(sorted({*starts[1:], *(start + SIDE for start in starts[:-1])}))
            apart, error = (tiled - whole)[..., covered], (tiled - future)[..., covered]
            print(
                f"| {name} | {overlap} | {1e3 * apart.square().mean().sqrt():.2f} "
                f"| {1e3 * error.square().mean().sqrt():.1f} ({1e3 * errors['whole']:.1f}) "
                f"| {1e3 * jump(tiled, *edges):.2f} ({1e3 * jump(whole, *edges):.2f}) |",
                flush=True,
            )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.steps} steps")


if __name__ == "__main__":
    main()

"""Training steps of the released code of two models, where a user has it: OpenSTL's package `openstl`."""

import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def unusable(folder: Path) -> str | None:
    """Why the package `openstl` in a folder cannot be used, if it cannot."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        import_module("openstl.models")
    except ImportError as error:
        return f"{folder} has no package openstl that can be imported ({error})"
    return None


def released_step(name: str, frames: Tensor, horizon: int) -> Callable[[], None]:
    """Forward, the loss that the released code trains with, and backward; once `unusable` has found the package.

    Args:
        name: One of `REFERENCES`.
        frames: `(B, T, C, H, W)`.
        horizon: How many of them are forecast.
    """
    model, loss = REFERENCES[name](import_module("openstl.models"), frames, horizon)

    def step() -> None:
        model.zero_grad(set_to_none=True)
        loss().backward()

    return step


def _predrnn(models: Any, frames: Tensor, horizon: int) -> tuple[nn.Module, Callable[[], Tensor]]:
    batch, length, channels, height, width = frames.shape
    patch = 4
    settings = Namespace(
        in_shape=(length - horizon, channels, height, width),
        pre_seq_length=length - horizon,
        aft_seq_length=horizon,
        patch_size=patch,
        filter_size=5,
        stride=1,
        layer_norm=0,
        reverse_scheduled_sampling=0,
        device=frames.device,
    )
    model = models.PredRNN_Model(4, [128] * 4, settings).to(frames.device)
    # patches as channels, which come last there
    cut = frames.unfold(3, patch, patch).unfold(4, patch, patch).permute(0, 1, 3, 4, 5, 6, 2).flatten(4)
    mask = torch.zeros(batch, horizon - 1, *cut.shape[2:], device=frames.device)
    return model, lambda: model(cut, mask, return_loss=True)[1]


def _simvpv2_s(models: Any, frames: Tensor, horizon: int) -> tuple[nn.Module, Callable[[], Tensor]]:
    past, future = frames[:, :-horizon], frames[:, -horizon:]
    shape, options = tuple(past.shape[1:]), {"hid_S": 64, "hid_T": 512, "N_S": 4, "N_T": 8, "model_type": "gSTA"}
    model = models.SimVP_Model(shape, **options).to(frames.device)
    return model, lambda: nn.functional.mse_loss(model(past), future)


#: Model to what builds the released one and its loss.
REFERENCES: dict[str, Callable[[Any, Tensor, int], tuple[nn.Module, Callable[[], Tensor]]]] = {
    "predrnn": _predrnn,
    "simvpv2_s": _simvpv2_s,
}

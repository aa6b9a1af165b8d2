"""Golden cases of E3D-LSTM."""

from collections.abc import Callable

import torch
from einops import rearrange
from golden import Case
from golden_recurrent import _check, _inputs, teacher_mask
from torch.nn.functional import l1_loss, mse_loss

from stblocks.interop import from_official


def cell(case: Case) -> None:
    """A cell, with a history that is given: frames have an axis of their own there, and the memory comes back old."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    names = ("x_t", "h_t", "c_t", "global_memory", "eidetic_cell")
    x, h, c, m, past = (inputs[name].flatten(1, 2) for name in names)
    filled = torch.ones_like(x[:, :1]).expand(-1, case.config["history"], -1, -1)
    h, c, new, _ = module.advance(x, h, c, m, past, filled)
    outputs = {"output": h, "new_cell": c, "global_memory": new if module.carried else m}
    frames = case.config["window_length"]
    _check(case, module, inputs, {name: value.unflatten(1, (-1, frames)) for name, value in outputs.items()})


def model(case: Case) -> None:
    """The whole model, on frames cut into patches."""
    module, inputs, settings = from_official(case.kind, case.config, case.weight), _inputs(case), case.config["configs"]
    p, known, patches = settings["patch_size"], settings["pre_seq_length"], inputs["frames_tensor"]
    frames = rearrange(patches, "b t h w (r s c) -> b t c (h r) (w s)", r=p, s=p)
    mask = teacher_mask(inputs["mask_true"].detach(), frames.shape[1], settings, "e3dlstm")
    rollout = module.rollout(frames[:, :known], frames.shape[1] - known, frames[:, known:], mask)
    forecast = rearrange(rollout.frames, "b t c (h r) (w s) -> b t h w (r s c)", r=p, s=p)
    loss = mse_loss(forecast, patches[:, 1:]) + l1_loss(forecast, patches[:, 1:])
    _check(case, module, inputs, {"next_frames": forecast, "loss": loss})


ADAPTERS: dict[str, Callable[[Case], None]] = {"e3dlstm__cell": cell, "e3dlstm__model": model}

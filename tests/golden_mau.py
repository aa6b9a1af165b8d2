"""Golden cases of MAU."""

from collections.abc import Callable

from einops import rearrange
from golden import Case
from golden_recurrent import _check, _inputs, teacher_mask
from torch.nn.functional import mse_loss

from stblocks.interop import from_official


def cell(case: Case) -> None:
    """A unit, whose past there has an axis of its own."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    past = [rearrange(inputs[name], "tau b c h w -> b (tau c) h w") for name in ("s_att", "t_att")]
    h, c, *_ = module(inputs["S_t"], inputs["T_t"], *past)
    _check(case, module, inputs, {"T_new": c, "S_new": h})


def model(case: Case) -> None:
    """The whole model, on frames cut into patches."""
    module, inputs, settings = from_official(case.kind, case.config, case.weight), _inputs(case), case.config["configs"]
    p, known = settings["patch_size"], settings["pre_seq_length"]
    patches = rearrange(inputs["frames_tensor"], "b t h w c -> b t c h w")
    frames = rearrange(patches, "b t (r s c) h w -> b t c (h r) (w s)", r=p, s=p)
    mask = teacher_mask(
        inputs["mask_true"].detach(), frames.shape[1], settings | {"reverse_scheduled_sampling": 0}, "mau"
    )
    rollout = module.rollout(frames[:, :known], frames.shape[1] - known, frames[:, known:], mask)
    forecast = rearrange(rollout.frames, "b t c (h r) (w s) -> b t (r s c) h w", r=p, s=p)
    _check(case, module, inputs, {"next_frames": forecast, "loss": mse_loss(forecast, patches[:, 1:])})


ADAPTERS: dict[str, Callable[[Case], None]] = {"mau__cell": cell, "mau__model": model}

"""Golden cases of PhyDNet: its cells, encoder and decoder, the moments of kernels, the whole model."""

from collections.abc import Callable

import torch
from golden import Case
from golden_recurrent import _check, _inputs, block
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from stblocks.blocks.recurrent.phycell import kernel_moments, moment_loss, moment_matrix
from stblocks.interop import from_official


def steps(case: Case) -> None:
    """A stack of cells, from zeros or from a given state, a few steps."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    state = None
    if "h0" in inputs:
        state = {"layers": [{"h": inputs[f"h{i}"]} for i in range(len(module.layers))], "zigzag": {}}
    for step in range(case.config["steps"]):
        _, state = module(inputs[f"x{step}"], state)
    outputs = {f"{name}{i}": own[name] for i, own in enumerate(state["layers"]) for name in "hc" if name in own}
    _check(case, module, inputs, outputs)


def moments(case: Case) -> None:
    """Moments of kernels, and kernels of given moments by the inverse of the same matrices."""
    inputs = _inputs(case)
    rows, columns = (torch.linalg.inv(moment_matrix(side, inputs["kernels"].detach())) for side in case.config["shape"])
    back = rows @ inputs["moments_in"] @ columns.mT
    _check(case, nn.Identity(), inputs, {"moments": kernel_moments(inputs["kernels"]), "kernels_back": back})


def constraint(case: Case) -> None:
    """The loss that holds kernels to be derivatives."""
    inputs = _inputs(case)
    _check(case, nn.Identity(), inputs, {"loss": moment_loss(inputs["weight"])})


def model(case: Case) -> None:
    """The whole model: fed its own forecasts, and fed the truth; losses are sums over frames."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    past, future = inputs["input_tensor"], inputs["target_tensor"]
    horizon, steps = future.shape[1], past.shape[1] + future.shape[1] - 1
    truth = torch.cat([past, future], dim=1)[:, 1:]

    def loss(mask: Tensor | None) -> tuple[Tensor, Tensor]:
        rollout = module.rollout(past, horizon, future, mask)
        return rollout.frames, steps * mse_loss(rollout.frames, truth) + rollout.aux["moment"].mean()

    frames, free = loss(None)
    _, forced = loss(torch.ones(len(past), steps, dtype=torch.bool))
    losses = {"loss": free, "train_loss_free": free, "train_loss_forced": forced}
    _check(case, module, inputs, {"predictions": frames[:, past.shape[1] - 1 :], **losses})


ADAPTERS: dict[str, Callable[[Case], None]] = {
    "phydnet__phycell_cell": block("x", "hidden", to=("next_hidden",)),
    "phydnet__phycell": steps,
    "phydnet__convlstm": steps,
    "phydnet__encoder_e": block("input", to=("out",)),
    "phydnet__decoder_d": block("input", to=("out",)),
    "phydnet__encoder_specific": block("input", to=("out",)),
    "phydnet__decoder_specific": block("input", to=("out",)),
    "phydnet__k2m": moments,
    "phydnet__moment_loss": constraint,
    "phydnet__model": model,
}

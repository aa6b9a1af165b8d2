"""Golden cases of WaST, its wavelets and its loss."""

from collections.abc import Callable
from itertools import product

import torch
from golden import Case
from golden_recurrent import _check, _inputs
from golden_simvp import block
from torch import nn

from stblocks.interop import from_official
from stblocks.ops.wavelet import haar, inverse_haar
from stblocks.train import HighFrequencyFocal


def transform(*axes: int, letters: Callable[[str], str] = str) -> Callable[[Case], None]:
    """Bands of a map and back, where the released letters of a band are those of ours after `letters`."""

    def run(case: Case) -> None:
        inputs = _inputs(case)
        bands = [letters("".join(each)) for each in product("LH", repeat=len(axes))]
        made = dict(zip(bands, haar(inputs["data"], axes), strict=True))
        back = inverse_haar([inputs[band] for band in bands], axes)
        _check(case, nn.Identity(), inputs, made | {"back": back})

    return run


def loss(case: Case) -> None:
    """The high-frequency focal loss, in the released form."""
    config = case.config
    if config["ave_spectrum"]:
        raise ValueError("ave_spectrum must be False: no loss here is of the mean spectrum of a batch.")
    inputs = _inputs(case)
    focal = HighFrequencyFocal(
        bands="low",
        levels=config["level"],
        radius=config["tau"],
        alpha=config["alpha"],
        tiles=config["patch_factor"],
        log=config["log_matrix"],
        over="batch" if config["batch_matrix"] else "map",
    )
    made = focal(inputs["pred"], inputs["target"], torch.ones_like(inputs["pred"], dtype=torch.bool))
    _check(case, nn.Identity(), inputs, {"loss": config["loss_weight"] * made})


def model(case: Case) -> None:
    """A whole model."""
    module, inputs = from_official(case.kind, case.config, case.weight).eval(), _inputs(case)
    _check(case, module, inputs, {"out": module(inputs["x"], inputs["x"].shape[1])})


ADAPTERS: dict[str, Callable[[Case], None]] = {
    "wast__dwt2d": transform(2, 3, letters=lambda band: band[::-1]),
    "wast__dwt3d": transform(2, 3, 4),
    "wast__embedding": block("x", "x_emb", to=("out", "hi")),
    "wast__reconstruction": block("x", "skip_hi", to=("out",)),
    "wast__frequency_attention": block("x", to=("out",)),
    "wast__tf_aware_block": block("x", to=("out",)),
    "wast__hffl": loss,
    "wast__model": model,
}

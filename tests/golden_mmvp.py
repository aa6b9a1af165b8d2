"""Golden cases of MMVP and its motion matrices."""

from collections.abc import Callable

import torch
from golden import Case
from golden_recurrent import _check, _inputs
from golden_simvp import block
from torch import nn
from torch.nn import functional

from stblocks.interop import from_official
from stblocks.ops.motion_matrix import as_weights, composed, motion_matrices, resized_matrices


def similarity(case: Case) -> None:
    """Matrices, as weights, their products from each frame to the last, and on a coarser grid."""
    inputs, config = _inputs(case), case.config
    matrices = motion_matrices(inputs["emb_feats"])
    post = as_weights(matrices)
    products = [post[:, -1]]
    for t in reversed(range(post.shape[1] - 1)):
        products.insert(0, post[:, t] @ products[0])
    size = (config["h"], config["w"])
    made = {"similarity": matrices, "post": post, "cum": torch.stack(products, dim=1)}
    _check(case, nn.Identity(), inputs, made | {"interpolated": resized_matrices(matrices, size, config["target"])})


def compose(case: Case) -> None:
    """The three scales, the finest of which is folded to the grid of the matrices."""
    inputs, length = _inputs(case), case.config["prev_len"]
    made = {}
    for scale, matrix in enumerate(("matrix0", "matrix0", "matrix1")):
        past, future = inputs[matrix].tensor_split([length - 1], dim=1)
        fold = case.config["downsample_scale"][0] if scale == 0 else 1
        maps = functional.pixel_unshuffle(inputs[f"x{scale}"], fold).unflatten(0, (-1, length))
        made[f"y{scale}"] = functional.pixel_shuffle(composed(maps, past, future).flatten(0, 1), fold)
    _check(case, nn.Identity(), inputs, made)


def predictor(case: Case) -> None:
    """Future matrices."""
    module, inputs = from_official(case.kind, case.config, case.weight).eval(), _inputs(case)
    size = (case.config["mx_h"], case.config["mx_w"])
    _check(case, module, inputs, {"out": module(inputs["matrix_seq"], size)})


def model(case: Case) -> None:
    """A whole model."""
    module, inputs = from_official(case.kind, case.config, case.weight).eval(), _inputs(case)
    _check(case, module, inputs, {"out": module(inputs["x_raw"], module.out_frames)})


ADAPTERS: dict[str, Callable[[Case], None]] = {
    "mmvp__similarity": similarity,
    "mmvp__compose": compose,
    "mmvp__predictor": predictor,
    "mmvp__rrdb": block("x", to=("out",)),
    "mmvp__resblock": block("x", to=("out",)),
    "mmvp__model": model,
}

"""Golden cases of VMRNN and SwinLSTM: tokens and frames lie channels last there."""

from collections.abc import Callable
from dataclasses import replace

from einops import rearrange
from golden import Case
from golden_recurrent import _check, _inputs
from torch import Tensor, nn

from stblocks.interop import from_official
from stblocks.ops.selective_scan import selective_scan


def maps(tokens: Tensor, size: list[int]) -> Tensor:
    """`(B, H W, C)` or `(B, H, W, C)` to feature maps."""
    return tokens.movedim(-1, 1).unflatten(2, size) if tokens.ndim == 3 else tokens.movedim(-1, 1)


def layer(case: Case) -> None:
    """A case of one map in and one out."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    result = module(maps(inputs["x"], case.config.get("input_resolution", [])))
    (theirs,) = case.output.values()
    if theirs.shape != result.shape:  # the inflated frame alone is a map there
        result = result.movedim(1, -1).reshape(theirs.shape)
    _check(case, module, inputs, {"out": result})


def fused(case: Case) -> None:
    """A VSS block that is given the hidden state: the first one of a cell."""
    if "hx" not in case.input:
        return layer(case)
    named = {kind: {f"VSBs.0.{name}": value for name, value in getattr(case, kind).items()} for kind in PARAMETERS}
    case = replace(case, meta=case.meta | {"block": "cell"}, config=case.config | {"depth": 1}, **named)
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    module.blocks[0].norm.eps = 1e-6  # alone the released block has another one than in a cell
    x, h = (maps(inputs[name], case.config["input_resolution"]).movedim(1, -1) for name in ("x", "hx"))
    _check(case, module, inputs, {"out": module.features(x, h).flatten(1, 2)})


def cell(case: Case) -> None:
    """A cell, from a given state or from zeros."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    given = {name: maps(tokens, case.config["input_resolution"]) for name, tokens in inputs.items()}
    h, c, _ = module(*[given.get(name) for name in ("xt", "hx", "cx")])
    _check(case, module, inputs, {"Ht": h.flatten(2).mT, "Ct": c.flatten(2).mT})


def model(case: Case) -> None:
    """A whole model on frames."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    known, frames = case.config["configs"]["in_shape"][0], rearrange(inputs["frames_tensor"], "b t h w c -> b t c h w")
    rollout = module.eval().rollout(frames[:, :known], frames.shape[1] - known)
    forecast = rearrange(rollout.frames, "b t c h w -> b t h w c")
    loss = (forecast - inputs["frames_tensor"][:, 1:]).square().mean()
    _check(case, module, inputs, {"next_frames": forecast, "loss": loss})


def scan(case: Case) -> None:
    """The scan alone."""
    inputs = _inputs(case)
    y, state = selective_scan(**inputs, delta_softplus=case.config["delta_softplus"], return_final_state=True)
    _check(case, nn.Identity(), inputs, {"y": y, "last_state": state})


PARAMETERS = ("weight", "grad_weight")
ADAPTERS: dict[str, Callable[[Case], None]] = {
    "vmrnn__selective_scan": scan,
    "vmrnn__ss2d": layer,
    "vmrnn__vssblock": layer,
    "vmrnn__vsb": fused,
    "vmrnn__cell": cell,
    "vmrnn__model_b": model,
    "vmrnn__model_d": model,
    "vmrnn__patch_merging": layer,
    "vmrnn__patch_expanding": layer,
    "vmrnn__patch_inflated": layer,
    "swinlstm__cell": cell,
    "swinlstm__model_b": model,
    "swinlstm__model_d": model,
    "swinlstm__patch_inflated": layer,
}

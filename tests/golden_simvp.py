"""Golden cases of SimVP, its translators and TAU."""

from collections.abc import Callable
from dataclasses import replace

from golden import Case
from golden_recurrent import _check, _inputs
from torch import Tensor, nn

from stblocks.interop import from_official
from stblocks.train import differential_divergence


def block(*names: str, to: tuple[str, ...]) -> Callable[[Case], None]:
    """A case whose module takes the inputs `names` and returns the outputs `to`, in these orders, in eval mode."""

    def run(case: Case) -> None:
        module, inputs = from_official(case.kind, case.config, case.weight).eval(), _inputs(case)
        results = module(*[inputs[name] for name in names])
        results = (results,) if isinstance(results, Tensor) else results
        _check(case, module, inputs, dict(zip(to, results, strict=True)))

    return run


#: Released classes that are cases of one block to our kinds of them.
SUB_BLOCKS = {"GASubBlock": "gsta", "TAUSubBlock": "tau"}


def sub_block(case: Case) -> None:
    """gSTA or TAU: the class says which."""
    block("x", to=("y",))(replace(case, meta=case.meta | {"block": SUB_BLOCKS[case.released_class]}))


def model(case: Case) -> None:
    """A whole model, which forecasts as many frames as it is given."""
    module, inputs = from_official(case.kind, case.config, case.weight).eval(), _inputs(case)
    past = inputs["x_raw"]
    _check(case, module, inputs, {"Y": module(past, past.shape[1])})


def divergence(case: Case) -> None:
    """TAU's loss."""
    inputs, options = _inputs(case), {"temperature": case.config["tau"], "eps": case.config["eps"]}
    loss = differential_divergence(inputs["pred_y"], inputs["batch_y"], **options)
    _check(case, nn.Identity(), inputs, {"loss": loss})


ADAPTERS: dict[str, Callable[[Case], None]] = {
    "simvp__convsc": block("x", to=("y",)),
    "simvp__encoder": block("x", to=("latent", "enc1")),
    "simvp__decoder": block("hid", "enc1", to=("Y",)),
    "simvp__inception": block("x", to=("y",)),
    "simvp__subblock": sub_block,
    "simvp__metablock": block("x", to=("y",)),
    "simvp__model": model,
    "simvp__tau_diff_div_reg": divergence,
}

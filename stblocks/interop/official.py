"""`from_official`: build one of our modules from a released state dict."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ..core import Registry
from . import cms_lstm, e3d_lstm, gmg, mau, mmvp, phydnet, predrnn, simvp, vmrnn, wast
from .checkpoints import bare
from .plan import Plan

KINDS = Registry[Callable[[Mapping[str, Any]], Plan]]("kind", "stblocks.kinds")
"""What can be read: `<family>/<block>` to a function from the released configuration to our module and its names there.
`KINDS.names()` lists them."""

for _family in (gmg, mmvp, predrnn, cms_lstm, simvp, vmrnn, phydnet, mau, e3d_lstm, wast):
    for _kind, _plan in _family.KINDS.items():
        KINDS.register(_kind)(_plan)


def from_official(kind: str, config: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> nn.Module:
    """Build our module with the weights of a released one.

    Parameters that the released code creates but never uses are left out. Frames cut into patches have their channels
    in another order there; the weights that meet them are permuted.

    Args:
        kind: One of `KINDS`, such as `"gmg/model"`.
        config: Arguments of the released class, by its names (`num_hidden`, `filter_size`, `configs`, ...).
        state_dict: Its `state_dict()`; or what training saved of it, with names that all begin with `model.` or
            `module.`, or with the weights under `"state_dict"`, see `read_official`.

    Returns:
        Our module, in the dtype of the weights. It computes what the released one does.

    Raises:
        ValueError: If the kind is unknown, the config lacks an argument, or a tensor is missing or does not fit.
    """
    read = KINDS.find(kind)
    try:
        plan = read(config)
    except KeyError as error:
        raise ValueError(f"config of {kind} must hold {error}; got {', '.join(config)}.") from error
    return plan.load(bare(state_dict) if state_dict else state_dict)

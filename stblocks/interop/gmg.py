"""Released GMG: its arguments as ours. Where paper and release differ, these take the options of the release."""

from collections.abc import Callable

from ..blocks import GFM, SAM, MotionHighway, STConvLSTM
from ..blocks.plugs.mgm import GrowthDecay
from ..blocks.plugs.motion_gru import MotionUnit
from .arguments import Config
from .plan import Plan
from .predrnn import NEIGHBOUR, block_plan, cell_plan, layer_norm, lstm_options, model_plan

RELEASED = {"time_decay": "batch", "growth": "head"}


def _gfm(config: Config) -> GFM:
    return GFM(config["in_channel"], config["num_hidden"], norm=layer_norm(config))


def _cell(config: Config) -> Plan:
    channels = config["num_hidden"]
    return cell_plan(
        STConvLSTM(config["in_channel"], channels, **lstm_options(config)),
        _gfm(config),
        SAM(channels, attention_channels=config["att_hidden"]),
        MotionHighway(),
    )


def _mgm(config: Config) -> Plan:
    channels = config["in_channel"]
    return block_plan(MotionUnit(channels, config["neighbour"], GrowthDecay(channels, **RELEASED)))


def _model(config: Config) -> Plan:
    sizes = {"attention_channels": config["att_hidden"], "warp_kernel_size": config.get("neighbour", NEIGHBOUR)}
    return model_plan("gmg_l", config, **sizes, **RELEASED)


KINDS: dict[str, Callable[[Config], Plan]] = {
    "gmg/gfm": lambda config: block_plan(_gfm(config)),
    "gmg/sam": lambda config: block_plan(SAM(config["input_dim"], attention_channels=config["hidden_dim"])),
    "gmg/mgm": _mgm,
    "gmg/cell": _cell,
    "gmg/model": _model,
}

"""Released WaST: its arguments as ours, for OpenSTL's `WaST_level1` and its parts."""

from collections.abc import Callable

from torch import nn

from ..blocks.maps.tf_aware import FrequencyAttention, TFAwareBlock
from ..blocks.sequences.wast import WaST, WaveletEmbedding, WaveletReconstruction
from ..core import create_model
from .arguments import Config, frames_of
from .plan import Plan

#: Filters, which we write out, and the second scale of a block, which is never used there.
UNUSED = r"(.*\.)?(I?DWT\.filters|layer_scale_2)"

_ATTENTION = {"squeeze": "conv1", "norm": "bn1", "rows": "conv_h", "columns": "conv_w"}
#: For each of our modules, its parts and their released names.
PARTS: dict[type[nn.Module], dict[str, str]] = {
    FrequencyAttention: _ATTENTION,
    TFAwareBlock: {
        "norm1": "norm1",
        "norm2": "norm2",
        "tall": "lk1",
        "wide": "lk2",
        "near": "sk",
        "scale": "layer_scale_1",
        **{f"low.{ours}": f"low_frequency_attn.{theirs}" for ours, theirs in _ATTENTION.items()},
        **{f"high.{ours}": f"high_frequency_attn.{theirs}" for ours, theirs in _ATTENTION.items()},
        "mixer.widen": "temporal_mixer.conv_pw",
        "mixer.norm1": "temporal_mixer.bn1",
        "mixer.local": "temporal_mixer.conv_dw",
        "mixer.norm2": "temporal_mixer.bn2",
        "mixer.squeeze": "temporal_mixer.se.conv_reduce",
        "mixer.excite": "temporal_mixer.se.conv_expand",
        "mixer.narrow": "temporal_mixer.conv_pwl",
        "mixer.norm3": "temporal_mixer.bn3",
    },
    WaveletEmbedding: {"before": "conv_0", "after": "conv_1", "frames": "conv_emb"},
    WaveletReconstruction: {"low": "conv_0", "high": "conv_hi"},
    WaST: {
        "enter": "conv_in",
        "before": "translator1.blocks",
        "down": "wavelet_embed1",
        "between": "bottleneck_translator.blocks",
        "up": "wavelet_recon1",
        "join": "translator2.concat_block",
        "after": "translator2.blocks",
        "leave": "conv_out",
    },
}


def names(module: nn.Module, ours: str = "", theirs: str = "") -> dict[str, str]:
    """Our names under the prefix `ours` to released ones under `theirs`."""
    parts = PARTS.get(type(module))
    if parts is None and isinstance(module, nn.Sequential):
        parts = {name: name for name, _ in module.named_children()}
    if parts is None:
        return {ours + name: theirs + name for name in module.state_dict()}
    found: dict[str, str] = {}
    for name, there in parts.items():
        part = module.get_submodule(name) if name in dict(module.named_modules()) else None
        found |= {ours + name: theirs + there} if part is None else names(part, f"{ours}{name}.", f"{theirs}{there}.")
    return found


def plan(module: nn.Module) -> Plan:
    """One of our modules beside the released one of the same content."""
    return Plan(module, names(module), UNUSED)


def _block(config: Config) -> Plan:
    kernels = {name: config[name] for name in ("large_kernel", "small_kernel")}
    return plan(TFAwareBlock(config["dim"], mlp_ratio=config["mlp_ratio"], **kernels))


def _model(config: Config) -> Plan:
    frames, channels, height, width = frames_of(config)
    model = create_model(
        "wast",
        channels,
        (height, width),
        in_frames=frames,
        channels=config["encoder_dim"],
        depths=config.get("block_list", (2, 2, 2)),
        mlp_ratio=config.get("mlp_ratio", 4.0),
        drop_path=config.get("drop_path_rate", 0.1),
        keep="width",
    )
    return Plan(model, names(model.network, "network."), UNUSED)


KINDS: dict[str, Callable[[Config], Plan]] = {
    "wast/embedding": lambda config: plan(
        WaveletEmbedding(config["in_dim"], config["out_dim"], config.get("emb_dim") or config["in_dim"], keep="width")
    ),
    "wast/reconstruction": lambda config: plan(
        WaveletReconstruction(config["in_dim"], config["out_dim"], config["hi_dim"], keep="width")
    ),
    "wast/frequency_attention": lambda config: plan(FrequencyAttention(config["in_dim"], config["reduction"])),
    "wast/tf_aware_block": _block,
    "wast/model": _model,
}

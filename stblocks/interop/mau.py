"""Released MAU: its arguments as ours."""

from collections.abc import Callable

from torch import nn

from ..blocks import MAU
from ..borders.checks import check_positive, choose
from ..core import RecurrentForecaster, create_model
from .arguments import Config, frames_of, settings_of, width_of
from .names import Rules, block_names
from .plan import Plan, patch_order
from .predrnn import layer_norm

RULES: dict[type[nn.Module], Rules] = {
    MAU: (
        (r"conv_query\.(.*)", r"conv_s_next.\1"),
        (r"conv_gate\.(.*)", r"conv_t_next.\1"),
        (r"conv_c\.(.*)", r"conv_t.\1"),
        (r"conv_x\.(.*)", r"conv_s.\1"),
    )
}
DEAD = r"(merge|conv_last_sr)\.(weight|bias)"


def _is_residual(config: Config) -> bool:
    return choose("cell_mode", config["cell_mode"], ("normal", "residual")) == "residual"


def _unit(config: Config) -> Plan:
    if config["in_channel"] != config["num_hidden"]:
        raise ValueError(f"in_channel must be num_hidden={config['num_hidden']}, got {config['in_channel']}.")
    block = MAU(
        config["num_hidden"],
        kernel_size=config["filter_size"],
        tau=config["tau"],
        residual=_is_residual(config),
        norm=layer_norm(config | {"layer_norm": True}),  # type: ignore[operator]
    )
    return Plan(block, block_names(block, table=RULES))


def _model(config: Config) -> Plan:
    settings = settings_of(config)
    check_positive(sr_size=settings["sr_size"])
    halvings, patch = settings["sr_size"].bit_length() - 1, settings["patch_size"]
    if settings["sr_size"] != 2**halvings:
        raise ValueError(f"sr_size must be a power of 2, got {settings['sr_size']}.")
    _, channels, height, width = frames_of(settings)
    recall = choose("model_mode", settings["model_mode"], ("normal", "recall")) == "recall" and halvings > 0
    model: RecurrentForecaster = create_model(
        "mau",
        in_channels=channels,
        image_size=(height, width),
        channels=width_of(config),
        num_layers=config["num_layers"],
        patch_size=patch,
        halvings=halvings,
        kernel_size=settings["filter_size"],
        tau=settings["tau"],
        residual=_is_residual(settings),
        recall=recall,
    )
    names: dict[str, str] = {}

    def same(ours: str, theirs: str) -> None:
        names.update({f"{ours}.{kind}": f"{theirs}.{kind}" for kind in ("weight", "bias")})

    same("stem.1", "encoders.0.encoder_t_conv-1")
    same("head.0", "srcnn.0")
    at, first, last = "stack.", 0, 2 * halvings + config["num_layers"] - 1
    for level in range(halvings):
        if recall:
            at, first, last = f"{at}layers.{first}.branches.0.", 0, 1
            last += config["num_layers"] if level == halvings - 1 else 1
        same(f"{at}layers.{first}.conv", f"encoders.{level + 1}.encoder_t{level}")
        there = halvings - 1 - level
        same(f"{at}layers.{last}{'.conv' if level else ''}", f"decoders.{there}.c_decoder{there}")
        first, last = first + 1, last - 1
    for index in range(config["num_layers"]):
        ours = f"{at}layers.{first + index}.stages.0."
        names |= block_names(model.get_submodule(ours[:-1]), ours, f"cell_list.{index}.", table=RULES)
    order = patch_order(channels, patch)
    return Plan(
        model,
        names,
        DEAD,
        patch_inputs={"stem.1.weight": order},
        patch_outputs={"head.0.weight": order, "head.0.bias": order},
    )


KINDS: dict[str, Callable[[Config], Plan]] = {"mau/cell": _unit, "mau/model": _model}

"""Released units and networks of units that no golden file holds, against them written anew."""

import pytest
import torch
from einops import rearrange
from released import close, randomise, released
from torch.nn.functional import conv2d, conv_transpose2d, group_norm, leaky_relu

from stblocks.interop import KINDS, from_official

MAU = {
    "in_shape": [3, 1, 16, 16], "patch_size": 1, "sr_size": 4, "tau": 2,
    "cell_mode": "normal", "model_mode": "recall", "filter_size": 3,
}  # fmt: skip


def mau_as_released(official, settings, past, horizon):
    """One-channel frames down to the units, and up again to what comes next; each map is recalled on the way up."""

    def of(name):
        return official[f"{name}.weight"], official[f"{name}.bias"]

    sr = settings["sr_size"]
    halvings = [2, 4, 8].index(sr) + 1
    config = settings | {"in_channel": 3, "num_hidden": 3, "height": 16 // sr, "width": 16 // sr}
    units = [
        from_official(
            "mau/cell", config, {n[12:]: v for n, v in official.items() if n.startswith(f"cell_list.{index}.")}
        )
        for index in range(2)
    ]
    states, forecasts = [[], []], []
    for t in range(past.shape[1] + horizon - 1):
        frame = past[:, t] if t < past.shape[1] else forecasts[-1]
        seen = [leaky_relu(conv2d(frame, *of("encoders.0.encoder_t_conv-1")), 0.2)]
        for level in range(halvings):
            down = conv2d(seen[-1], *of(f"encoders.{level + 1}.encoder_t{level}"), stride=2, padding=1)
            seen.append(leaky_relu(down, 0.2))
        h = seen.pop()
        for index, unit in enumerate(units):
            h, *states[index], _ = unit(h, *states[index])
        for level in range(halvings):
            name = f"decoders.{level}.c_decoder{level}"
            h = conv_transpose2d(h, *of(name), stride=2, padding=1, output_padding=1)
            if level < halvings - 1:
                h = leaky_relu(h, 0.2)
            if settings["model_mode"] == "recall":
                h = h + seen.pop()
        forecasts.append(conv2d(h, *of("srcnn.0")))
    return torch.stack(forecasts[past.shape[1] - 1 :], dim=1)


@pytest.mark.parametrize("sr_size", [2, 4, 8])
@pytest.mark.parametrize("model_mode", ["recall", "normal"])
def test_mau_recalls_around_every_halving(model_mode, sr_size):
    torch.manual_seed(0)
    settings = MAU | {"model_mode": model_mode, "sr_size": sr_size}
    config = {"num_layers": 2, "num_hidden": [3, 3], "configs": settings}
    plan = KINDS["mau/model"](config)
    randomise(plan.module)
    official, past = released(plan), torch.rand(2, 3, 1, 16, 16, dtype=torch.float64)
    close(from_official("mau/model", config, official)(past, 2), mau_as_released(official, settings, past, 2))


@pytest.mark.parametrize("act_norm", [True, False])
@pytest.mark.parametrize("resample", [{}, {"downsampling": True}, {"upsampling": True}])
def test_simvp_units(resample, act_norm):
    """Upwards by a convolution to four times the channels, whose norm is there even where it is not used."""
    torch.manual_seed(0)
    config = {"C_in": 3, "C_out": 4, "kernel_size": 3, "act_norm": act_norm, **resample}
    up, down = resample.get("upsampling", False), resample.get("downsampling", False)
    conv = "conv.conv.0" if up else "conv.conv"
    shapes = {f"{conv}.weight": (16 if up else 4, 3, 3, 3), f"{conv}.bias": (16 if up else 4,)}
    shapes |= {"conv.norm.weight": (4,), "conv.norm.bias": (4,)}
    official = {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}
    maps = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    made = conv2d(maps, official[f"{conv}.weight"], official[f"{conv}.bias"], stride=2 if down else 1, padding=1)
    if up:
        made = rearrange(made, "b (c y x) h w -> b c (h y) (w x)", y=2, x=2)
    if act_norm:
        made = group_norm(made, 2, official["conv.norm.weight"], official["conv.norm.bias"])
        made = made * made.sigmoid()
    close(from_official("simvp/convsc", config, official)(maps), made)

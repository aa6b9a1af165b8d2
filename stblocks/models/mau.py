"""MAU: motion-aware units between strided convolutions, around which lead shortcuts."""

from torch import nn

from ..blocks import MAU, DCGANUnit
from ..blocks.frames.dcgan import resizing_conv
from ..borders.checks import check_positive
from ..core import Cell, Parallel, RecurrentForecaster, RecurrentStack, register_model
from .base import Base, register_base
from .frame import Frame
from .patch_frame import PatchFrame


@register_model(
    frame=Frame, paper="Chang et al., MAU, NeurIPS 2021", dataset="Moving MNIST", parameters=4_475_329, flops=17.8e9
)
def mau(
    frame: Frame,
    *,
    channels: int = 64,
    num_layers: int = 4,
    patch_size: int = 1,
    halvings: int = 2,
    kernel_size: int = 5,
    tau: int = 5,
    residual: bool = True,
    recall: bool = True,
    norm: str | None = "layer",
    checkpointing: bool = False,
) -> RecurrentForecaster:
    """MAU (paper, Fig. 3): encoder, a stack of `MAU`, decoder, and the information recalling between these.

    Args:
        frame: See `Frame`; `image_size` is binding with `norm="layer"`.
        channels: Width of every layer.
        num_layers: Number of units.
        patch_size: Side of the patches that frames are cut into before the encoder.
        halvings: Number of convolutions that halve height and width before the units, and of those that double them
            after these.
        kernel_size: See `MAU`.
        tau: See `MAU`.
        residual: See `MAU`.
        recall: Whether what each of these convolutions is given is added to what the one that undoes it makes.
        norm: `"layer"`, over channels and positions as released; `"group"`, the same without parameters per position,
            for any size; or `None`.
        checkpointing: See `RecurrentForecaster`.

    Raises:
        ValueError: If a number is not positive, `halvings` is negative, `kernel_size` is even, `norm` is another word,
            or `recall` is asked for without `halvings`.
    """
    check_positive(channels=channels, num_layers=num_layers, patch_size=patch_size)
    if not isinstance(halvings, int) or halvings < 0:
        raise ValueError(f"halvings must be an integer >= 0, got {halvings!r}.")
    if recall and not halvings:
        raise ValueError("recall leads around convolutions that halve the map: take halvings >= 1, or recall=False.")
    multiple = patch_size * 2**halvings
    make_norm = frame.norm_named(norm, multiple)
    layers: list[nn.Module] = [
        Cell(MAU(channels, kernel_size=kernel_size, tau=tau, residual=residual, norm=make_norm))
        for _ in range(num_layers)
    ]
    for level in reversed(range(halvings)):
        down = DCGANUnit(channels, channels, stride=2, groups=None)
        up: nn.Module = DCGANUnit(channels, channels, stride=2, groups=None, up=True)
        if level == 0:  # the last one has no activation
            up = resizing_conv(channels, channels, 2, up=True)
        layers = [down, *layers, up]
        if recall:
            layers = [Parallel(RecurrentStack(layers), nn.Identity())]
    patch, forecast = (count * patch_size**2 for count in (frame.in_channels, frame.forecast_channels))
    return RecurrentForecaster(
        nn.Sequential(nn.PixelUnshuffle(patch_size), nn.Conv2d(patch, channels, 1), nn.LeakyReLU(0.2)),
        RecurrentStack(layers),
        nn.Sequential(nn.Conv2d(channels, forecast, 1), nn.PixelShuffle(patch_size)),
        size_multiple=multiple,
        checkpointing=checkpointing,
        in_channels=frame.in_channels,
        out_channels=frame.forecast_channels,
        image_size=frame.bound_size(norm == "layer"),
    )


@register_base
def mau_cell(frame: PatchFrame, *, tau: int = 5) -> Base:
    """Layers of MAUs, for `hybrid`."""
    return Base(lambda place: [MAU(place.channels, tau=tau, **place.options)], embed=True)

"""SimVP, SimVPv2, TAU and their like: a frame by frame encoder and decoder, and any translator in between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..blocks import ConvLSTM, STConvLSTM
from ..blocks.frames.autoencoder import Decoder, Encoder
from ..blocks.sequences.translator import SequenceTranslator
from ..blocks.translators.inception import KERNEL_SIZES, InceptionUNet, check_sides
from ..blocks.translators.map_cell import MapCell, SequenceCell, SequenceStage, as_stage
from ..blocks.translators.names import TRANSLATORS, Place, check_options
from ..blocks.translators.translator import LinearShortcut, RecurrentTranslator, Translator
from ..borders.checks import check_odd, check_positive, check_rate, choose
from ..core import Cell, DirectForecaster, RecurrentStack, register_model, register_variant
from .base import Place as LayerPlace
from .frame import Frame
from .plugging import plugged

PAPER = "Tan et al., SimVPv2, 2025"
#: Cells of the recurrent translator, by name.
CELLS = {"convlstm": ConvLSTM, "st_convlstm": STConvLSTM}

#: What papers call the translator of the first SimVP, which is another model here.
INCEPTION = ("incepu", "inception")


@dataclass(frozen=True, kw_only=True)
class FrameCoder(Frame):
    """SimVP without its translator.

    Args:
        in_channels: See `Frame`.
        image_size: See `Frame`; binding only where a translator is bound to the size of its map.
        out_channels: See `Frame`.
        in_frames: Past frames.
        out_frames: Frames forecast at once.
        channels: Of the features of a frame.
        encoder_layers: Convolutions in the encoder and in the decoder.
        kernel_size: Of these.
        decoder_kernel_size: Of those in the decoder, if another.
        shortcut: Side of the neighbourhood of past frames whose weighted sum the forecasts are added to; `None` adds
            them to nothing.

    Raises:
        ValueError: If a number is not a positive integer, or a kernel is even.
    """

    in_frames: int = 10
    out_frames: int = 10
    channels: int = 64
    encoder_layers: int = 4
    kernel_size: int = 3
    decoder_kernel_size: int | None = None
    shortcut: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(
            in_frames=self.in_frames,
            out_frames=self.out_frames,
            channels=self.channels,
            encoder_layers=self.encoder_layers,
        )
        for name in ("decoder_kernel_size", "shortcut"):
            if (side := getattr(self, name)) is not None:
                check_odd(name, side)

    @property
    def multiple(self) -> int:
        """What the strides divide H and W by."""
        return int(2 ** (self.encoder_layers // 2))

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)` of the translator's map for frames of `image_size`."""
        return self.map_size(self.multiple)

    @property
    def widths(self) -> tuple[int, int]:
        """Channels of the map that the translator takes, and of the one it makes."""
        return self.in_frames * self.channels, self.out_frames * self.channels

    def build(self, translator: nn.Module, *, bound: bool = False) -> DirectForecaster:
        """The forecaster; `bound` says that the translator's weights depend on `image_size`."""
        out_channels = self.forecast_channels
        layers, kernel_size = self.encoder_layers, self.decoder_kernel_size or self.kernel_size
        decoder, shortcut = Decoder(self.channels, out_channels, num_layers=layers, kernel_size=kernel_size), None
        if self.shortcut is not None:
            widths = self.in_channels, out_channels, self.in_frames, self.out_frames
            shortcut = LinearShortcut(*widths, kernel_size=self.shortcut)
            for parameter in decoder.readout.parameters():  # at the start the shortcut forecasts alone
                nn.init.zeros_(parameter)
        return DirectForecaster(
            Encoder(self.in_channels, self.channels, num_layers=layers, kernel_size=self.kernel_size),
            translator,
            decoder,
            self.in_frames,
            self.out_frames,
            shortcut=shortcut,
            size_multiple=self.multiple,
            in_channels=self.in_channels,
            out_channels=out_channels,
            image_size=self.bound_size(bound),
        )


def gate_as_plug(options: dict[str, Any]) -> dict[str, Any]:
    """Options of before there were plugs, when `gate="gfm"` was the one that there was."""
    options = dict(options)
    gate = options.pop("gate", None)
    return options if gate is None else options | {"plugs": [gate]}


@register_model(
    frame=FrameCoder,
    paper=PAPER,
    dataset="Moving MNIST",
    parameters=46_769_665,
    flops=16_526_049_280,
    former=gate_as_plug,
)
def simvpv2_s(
    frame: FrameCoder,
    *,
    translator: str = "gsta",
    translator_channels: int = 512,
    num_layers: int = 8,
    mlp_ratio: float | None = None,
    window_size: int | None = None,
    drop: float = 0.0,
    drop_path: float = 0.0,
    plugs: Sequence[str] = (),
    checkpointing: bool = False,
) -> DirectForecaster:
    """SimVPv2-S: a translator of gSTA blocks, or of the blocks that `translator` names: see `register_translator`.

    With the blocks of sequences `"predformer"`, `"conv3d"` and `"afno"`, `translator_channels` is the width of a
    frame's map, not that of all of them.

    `mlp_ratio` is 8 by default (4 for blocks of sequences), the `window_size` of `"swin"` 4, `drop` and `drop_path` 0;
    a block that lacks what is asked for refuses it by name.
    `drop_path` grows evenly from 0 in the first block. `checkpointing` recomputes each block in backward instead of
    keeping its activations.
    `plugs` stand around the block of every layer as around the cells of `hybrid`: `["gfm"]` lets a GFM gate the result
    of every block by what the block was given, `["tau", "stage"]` puts a TAU before it. A translator takes no steps, so
    that it refuses plugs with a memory. Around a block of sequences, plugs take every frame by itself.
    `shortcut` adds to the forecasts a weighted sum of the past frames within so many pixels, for fields whose values
    matter more than their pattern, and for little data.
    """
    if str(translator).lower() in INCEPTION:
        raise ValueError(
            f"translator must be a stack of blocks, got {translator!r}; the U of Inception modules is "
            f'create_model("simvp").'
        )
    (make, size_bound, sequences), (before, after) = TRANSLATORS.find(translator), frame.widths
    rates = {"drop": drop, "drop_path": drop_path}
    for name, rate in rates.items():
        check_rate(name, rate)
    # a block may lack what is not asked for
    asked = {name: rate for name, rate in rates.items() if rate}
    asked |= {
        name: value for name, value in (("mlp_ratio", mlp_ratio), ("window_size", window_size)) if value is not None
    }
    check_options(translator, asked)

    def block(layer: int, width: int) -> nn.Module:
        grown = {"drop_path": drop_path * layer / max(num_layers - 1, 1)} if drop_path else {}
        options = asked | grown
        resized = not sequences and width != (after if layer == num_layers - 1 else translator_channels)
        made = make(width, Place(layer, frame.size, resized), **options)
        if not plugs:
            return made
        place = LayerPlace(layer, num_layers, width, width, frame.kernel_size, None)
        stage = SequenceStage(width, made, frame.in_frames) if sequences else as_stage(width, made)
        cell = plugged(lambda _: [stage], plugs, num_layers, {})
        try:
            return (SequenceCell if sequences else MapCell)(width, *cell(place))
        except ValueError as error:
            raise ValueError(f"plugs {list(plugs)} do not fit translator {translator!r}: {error}") from error

    of_stack: dict[str, Any] = {"num_layers": num_layers, "block": block, "checkpointing": checkpointing}
    stack: nn.Module
    if sequences:
        stack = SequenceTranslator(frame.channels, translator_channels, frame.in_frames, frame.out_frames, **of_stack)
    else:
        stack = Translator(before, translator_channels, after, **of_stack)
    return frame.build(stack, bound=size_bound)


register_variant(
    "simvpv2_l",
    simvpv2_s,
    paper=PAPER,
    dataset="Moving MNIST",
    parameters=524_004_353,
    flops=152_149_360_640,
    channels=128,
    translator_channels=1024,
    num_layers=24,
)
register_variant(
    "tau",
    simvpv2_s,
    paper="Tan et al., CVPR 2023",
    dataset="Moving MNIST",
    parameters=44_656_001,
    flops=15_952_646_144,
    translator="tau",
)


@register_model(
    frame=FrameCoder,
    paper="Gao et al., CVPR 2022",
    dataset="Moving MNIST",
    parameters=57_946_113,
    flops=19_430_539_264,
)
def simvp(
    frame: FrameCoder,
    *,
    translator_channels: int = 512,
    num_layers: int = 8,
    translator_kernel_sizes: Sequence[int] = KERNEL_SIZES,
    groups: int = 8,
) -> DirectForecaster:
    """SimVP: a U of Inception modules as translator, `num_layers` down and as many up."""
    check_sides("translator_kernel_sizes", translator_kernel_sizes)
    before, after = frame.widths
    kernel_sizes = translator_kernel_sizes
    stack = InceptionUNet(
        before, translator_channels, after, num_layers=num_layers, kernel_sizes=kernel_sizes, groups=groups
    )
    return frame.build(stack)


@register_model(frame=FrameCoder)
def simvp_recurrent(
    frame: FrameCoder, *, cell: str = "st_convlstm", num_layers: int = 4, cell_kernel_size: int = 5
) -> DirectForecaster:
    """SimVP's encoder and decoder about a recurrent stack, which runs over the encoded frames and then its own."""
    kind: Callable[..., ConvLSTM | STConvLSTM] = CELLS[choose("cell", cell, tuple(CELLS))]
    width = frame.channels
    layers = [Cell(kind(width, width, kernel_size=cell_kernel_size)) for _ in range(num_layers)]
    return frame.build(RecurrentTranslator(RecurrentStack(layers), frame.in_frames, frame.out_frames))

"""Score a saved model on frames on disk, beside persistence. Needs the extra `train`.

stblocks evaluate runs/radar/model radar/ --threshold 20 30 40
stblocks evaluate runs/radar/model radar.npz --key test --sequence all --values codes --out scores.md
stblocks evaluate runs/weather/model era5.nc --variable t2m --metric rmse@physical --out scores.json

Every window of in_frames + out_frames frames is forecast and compared with what came; --stride takes some of them.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds, and help needs none of it
    from ..formats.source import Source

from ..borders.command_line import Parser, positive
from .saved import add_source, choose, load_model, note_differences, sequence_number

ENDINGS = (".md", ".json", ".csv")


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command."""
    add_source(parser)
    parser.add_argument("--sequence", type=_sequence, metavar="I|all", help="of an array of several sequences")
    parser.add_argument("--in_frames", type=positive, metavar="T", help="frames to forecast from, as in training")
    parser.add_argument("--horizon", type=positive, metavar="N", help="frames to forecast, as in training")
    parser.add_argument("--stride", type=positive, default=1, metavar="N", help="frames from a window to the next (1)")
    parser.add_argument("--size", type=positive, nargs=2, metavar=("H", "W"), help="resize frames, bilinear")
    parser.add_argument("--threshold", type=float, nargs="+", default=[], metavar="X", help="where CSI and others cut")
    parser.add_argument(
        "--window", type=positive, nargs="+", default=[], metavar="N", help="odd sides of FSS's windows"
    )
    parser.add_argument("--metric", nargs="+", metavar="NAME", help="scores, see the page on metrics")
    parser.add_argument(
        "--data_range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="what PSNR, SNR and SSIM take as 0 and 1"
    )
    parser.add_argument("--batch_size", type=positive, default=16, metavar="B", help="sequences at once (16)")
    parser.add_argument("--out", type=Path, help="a file: .md, .json or .csv")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    options = parser.parse_args(arguments)
    out = options.out
    if out is not None and out.suffix.lower() not in ENDINGS:
        raise ValueError(f"out must end in {', '.join(ENDINGS)}, got {out}.")
    if out is not None and out.exists() and not options.force:
        raise ValueError(f"{out} is there already; name another file, or replace it with --force.")
    tables, counted = score(options)
    ours, persistence = tables["model"], tables["persistence"]
    text = ours.to_markdown(persistence)
    if out is None:
        print(f"{text}\n\n{counted}")
        return
    from ..borders.files import write_atomically

    if out.suffix.lower() == ".csv":
        ours.to_csv(out, persistence)
    else:
        content = f"{text}\n" if out.suffix.lower() == ".md" else json.dumps(_as_json(tables), indent=2) + "\n"
        write_atomically(out, lambda file: file.write(content.encode()))
    print(f"{out}: {', '.join(f'{name} {value:.4g}' for name, value in ours.pooled.items())}; {counted}")


def score(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The tables of the model and of persistence, and how much was scored, in words.

    Raises:
        ValueError: If it is not known how many frames are forecast from how many, or data and model do not fit.
    """
    from ..data import SequenceWindows
    from ..formats.read import open_sources
    from ..score import evaluate
    from ..score.scores import DEFAULT_METRICS

    model, spec = load_model(options)
    in_frames = options.in_frames or getattr(model, "in_frames", None) or spec.in_frames
    horizon = options.horizon or spec.out_frames or getattr(model, "out_frames", None)
    if in_frames is None or horizon is None:
        raise ValueError(
            "The model does not say how many frames it forecasts from how many: give --in_frames, --horizon."
        )
    sources = open_sources(options.frames, choose(options, model, spec, options.sequence))
    parts, counted = unbroken(sources, in_frames + horizon)
    note_differences(spec, max(parts, key=lambda part: part.shape[0]), options.size or parts[0].shape[-2:])
    data = SequenceWindows(
        [part.series for part in parts],
        in_frames,
        horizon,
        stride=options.stride,
        size=None if options.size is None else tuple(options.size),
        scaler=spec.scaler(),
        out_channels=model.out_channels,
        missing="mask",
        fill=spec.fill,
    )
    tables = evaluate(
        model,
        data,
        thresholds=tuple(options.threshold),
        windows=tuple(options.window),
        metrics=DEFAULT_METRICS if options.metric is None else options.metric,
        data_range=None if options.data_range is None else tuple(options.data_range),
        batch_size=options.batch_size,
    )
    return tables, f"{_count(len(data), 'window')} of {counted}"


def unbroken(sources: "Sequence[Source]", at_least: int) -> "tuple[list[Source], str]":
    """The parts of sequences between holes in their times that have frames enough, and how many these are, in words.

    Raises:
        ValueError: If none has.
    """
    found = [source.parts() for source in sources]
    lengths = [part.shape[0] for parts in found for part in parts]
    if max(lengths) < at_least:
        raise ValueError(
            f"frames must hold {at_least}, in_frames + horizon, without a hole in time, got at most {max(lengths)}; "
            f"take a shorter --horizon or fewer --in_frames."
        )
    long = [[part for part in parts if part.shape[0] >= at_least] for parts in found]
    kept = [part for parts in long for part in parts]
    counted = _count(sum(map(bool, long)), "sequence")
    if len(lengths) > len(found):
        counted += f" in {_count(len(kept), 'part')} without a hole in time"
    if short := len(lengths) - len(kept):
        counted += f"; left out, of fewer than {at_least} frames: {_count(short, 'part')}"
    return kept, counted


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _sequence(text: str) -> Any:
    return text if text == "all" else sequence_number(text)


_sequence.__name__ = "integer or all"


def _as_json(tables: dict[str, Any]) -> dict[str, Any]:
    """Scores by forecast, pooled and by lead time; NaN is null."""

    def known(scores: dict[str, float]) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in scores.items()}

    return {
        name: {"pooled": known(table.pooled), "lead": [known(scores) for scores in table.lead]}
        for name, table in tables.items()
    }

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
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds, and help needs none of it
    from ..data.series import Series
    from ..formats.source import Source

from ..borders.command_line import Parser, positive
from .saved import add_source, choose, load_model, sequence_number

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
    parser.add_argument("--metric", nargs="+", metavar="NAME", help="scores, see the page on metrics")
    parser.add_argument("--batch_size", type=positive, default=16, metavar="B", help="sequences at once (16)")
    parser.add_argument("--out", type=Path, help="a file: .md, .json or .csv")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    options = parser.parse_args(arguments)
    out = options.out
    if out is not None and out.suffix.lower() not in ENDINGS:
        raise ValueError(f"out must end in {', '.join(ENDINGS)}, got {out}.")
    if out is not None and out.exists() and not options.force:
        raise ValueError(f"{out} is there already; name another file, or replace it with --force.")
    tables = score(options)
    ours, persistence = tables["model"], tables["persistence"]
    text = ours.to_markdown(persistence)
    if out is None:
        print(text)
        return
    from ..borders.files import write_atomically

    if out.suffix.lower() == ".csv":
        ours.to_csv(out, persistence)
    else:
        content = f"{text}\n" if out.suffix.lower() == ".md" else json.dumps(_as_json(tables), indent=2) + "\n"
        write_atomically(out, lambda file: file.write(content.encode()))
    print(f"{out}: {', '.join(f'{name} {value:.4g}' for name, value in ours.pooled.items())}")


def score(options: argparse.Namespace) -> dict[str, Any]:
    """The tables of the model and of persistence.

    Raises:
        ValueError: If it is not known how many frames are forecast from how many, or data and model do not fit.
    """
    from ..data import SequenceWindows
    from ..formats.read import open_sources
    from ..score import evaluate
    from ..score.scores import DEFAULT_METRICS

    model, spec = load_model(options)
    in_frames = options.in_frames or getattr(model, "in_frames", None) or spec.in_frames
    horizon = options.horizon or spec.out_frames
    if in_frames is None or horizon is None:
        raise ValueError(
            "The model does not say how many frames it forecasts from how many: give --in_frames, --horizon."
        )
    sources = open_sources(options.frames, choose(options, model, spec, options.sequence))
    data = SequenceWindows(
        [series for source in sources for series in unbroken(source, in_frames + horizon)],
        in_frames,
        horizon,
        stride=options.stride,
        size=None if options.size is None else tuple(options.size),
        scaler=spec.scaler(),
        out_channels=model.out_channels,
        missing="mask",
    )
    metrics = DEFAULT_METRICS if options.metric is None else options.metric
    thresholds = tuple(options.threshold)
    return evaluate(model, data, thresholds=thresholds, metrics=metrics, batch_size=options.batch_size)


def unbroken(source: "Source", at_least: int) -> "list[Series]":
    """The parts of a sequence between holes in its times, those that have frames enough.

    Raises:
        ValueError: If none has.
    """
    from ..data.series import Span
    from ..data.times import holes

    if source.time is None or source.time.dtype.kind != "M":
        return [source.series]
    bounds = [0, *holes(source.time.astype("M8[s]")).tolist(), source.shape[0]]
    if len(bounds) == 2:
        return [source.series]
    parts = [part for part in pairwise(bounds) if part[1] - part[0] >= at_least]
    if not parts:
        raise ValueError(
            f"frames must have {at_least} without a hole in their times, got at most "
            f"{max(last - first for first, last in pairwise(bounds))}; take a shorter --horizon or fewer --in_frames."
        )
    return [Span(source.series, *part) for part in parts]


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

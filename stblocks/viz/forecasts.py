"""Pictures of one forecast."""

from pathlib import Path

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw
from torch import Tensor

from ..borders.files import write_atomically
from ..data import Scaler
from .paint import check_ending, colour_map, colour_scale, new_figure, physical, save


def forecast_strip(
    past: Tensor,
    future: Tensor,
    prediction: Tensor,
    path: str | Path,
    scaler: Scaler | None = None,
    *,
    channel: int = 0,
    cmap: str = "turbo",
    error_factor: float | None = None,
    zoom: tuple[int, int, int, int] | None = None,
) -> None:
    """Draw one forecast frame by frame: what was observed, what came, what was forecast, and the error.

    Errors are signed, in colours of their own, which reach as far as the largest; or, as in figures of papers, their
    absolute values times `error_factor` in the colours of the frames.

    Args:
        past: `(T, C, H, W)` in model units.
        future: `(horizon, C', H, W)` with the first channels of `past`, NaN where missing.
        prediction: As `future`.
        path: A PNG file, `.png`.
        scaler: To the physical units of the colour bars; `None` shows model units.
        channel: Which one to show.
        cmap: A colour map of matplotlib.
        error_factor: How much larger absolute errors are shown, such as 10; `None` shows signed ones.
        zoom: `(top, left, height, width)` in cells, which is boxed and drawn again, enlarged, in two rows more.

    Raises:
        ValueError: If shapes do not fit each other, `error_factor` is not above 0, `zoom` is not within the frames, or
            the file cannot be written.
    """
    seen, truth, forecast, scaler = physical(past, future, prediction, scaler, channel)
    span = colour_scale(seen, truth)
    shown = [
        ("observed", seen, cmap, span),
        ("true", truth, cmap, span),
        ("forecast", forecast, cmap, span),
        _error_row(forecast - truth, error_factor, cmap, span),
    ]
    box = None if zoom is None else _cells(zoom, truth.shape[1:])
    if box is not None:
        shown += [("true, box", truth[:, *box], cmap, span), ("forecast, box", forecast[:, *box], cmap, span)]
    columns = max(len(seen), len(truth))
    figure, axes = new_figure(len(shown), columns, width=1.15, height=1.15)
    rows = np.array(axes).reshape(len(shown), columns)
    for row, (name, frames, colours, scale) in zip(rows, shown, strict=True):
        start = 1 - len(seen) if name == "observed" else 1
        for axis in row[len(frames) :]:
            axis.set_axis_off()
        for number, (axis, frame) in enumerate(zip(row, frames, strict=False), start):
            image = axis.imshow(frame, norm=scale, cmap=colour_map(colours))
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{number:+d}" if number else "now", fontsize=7)
            if zoom is not None and not name.endswith("box"):
                top, left, height, width = zoom
                axis.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor="red"))
        row[0].set_ylabel(name)
        if name == "true" or "error" in name:
            target = rows[:3].ravel().tolist() if name == "true" else row.tolist()
            figure.colorbar(image, ax=target, fraction=0.02, pad=0.01).set_label(str(scaler.unit))
    save(figure, path)


def _error_row(
    error: np.ndarray, factor: float | None, cmap: str, span: Normalize
) -> tuple[str, np.ndarray, str, Normalize]:
    if factor is None:
        reach = float(np.nanmax(np.abs(error), initial=0)) or 1.0
        return "error", error, "RdBu_r", Normalize(-reach, reach)
    if not factor > 0:
        raise ValueError(f"error_factor must be above 0, how much larger errors are shown, got {factor!r}.")
    reach = float((span.vmax or 0) - (span.vmin or 0)) or 1.0  # as many units from end to end as in the frames
    return f"|error| x {factor:g}", factor * np.abs(error), cmap, Normalize(0, reach)


def _cells(zoom: tuple[int, int, int, int], size: tuple[int, ...]) -> tuple[slice, slice]:
    wrong = f"zoom must be (top, left, height, width) within frames of {size[0]} x {size[1]}, got {zoom}."
    if len(zoom) != 4:
        raise ValueError(wrong)
    top, left, height, width = zoom
    if min(top, left) < 0 or min(height, width) < 1 or top + height > size[0] or left + width > size[1]:
        raise ValueError(wrong)
    return slice(top, top + height), slice(left, left + width)


def forecast_gif(
    past: Tensor,
    future: Tensor | None,
    prediction: Tensor,
    path: str | Path,
    scaler: Scaler | None = None,
    *,
    channel: int = 0,
    cmap: str = "turbo",
    milliseconds: int = 250,
    side: int = 256,
) -> None:
    """Animate one forecast: the truth on the left, on the right the observed frames and then the forecast.

    Without a truth, there are the observed frames and then the forecast alone.

    Args:
        past: `(T, C, H, W)` in model units.
        future: `(horizon, C', H, W)` with the first channels of `past`, NaN where missing; `None` if it is not known.
        prediction: `(horizon, C', H, W)`.
        path: A GIF file, `.gif`.
        scaler: To physical units, between which colours are spread; `None` takes model units.
        channel: Which one to show.
        cmap: A colour map of matplotlib.
        milliseconds: Per frame.
        side: Pixels of the longer side of each half; frames are enlarged by a whole number.

    Raises:
        ValueError: If shapes do not fit each other, or the file cannot be written.
    """
    known = future is not None
    seen, truth, forecast, _ = physical(past, prediction if future is None else future, prediction, scaler, channel)
    check_ending(path, ".gif")
    span, colours = colour_scale(seen, truth), colour_map(cmap)
    zoom = max(1, side // max(truth.shape[1:]))

    def paint(frame: np.ndarray) -> np.ndarray:
        pixels = colours(span(np.ma.masked_invalid(frame)), bytes=True)[..., :3]
        return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)

    pictures = []
    pairs = zip([*seen, *truth], [*seen, *forecast], strict=True)
    for number, (left, right) in enumerate(pairs, start=1 - len(seen)):
        halves = [paint(left), np.full((len(left) * zoom, 4, 3), 255, dtype=np.uint8)] if known else []
        picture = Image.fromarray(np.concatenate([*halves, paint(right)], axis=1))
        label = "observed" if number <= 0 else f"{'true | ' * known}forecast {number:+d}"
        ImageDraw.Draw(picture).text((4, 2), label, fill="white", stroke_width=1, stroke_fill="black")
        pictures.append(picture)
    first, *rest = pictures
    options = {"save_all": True, "append_images": rest, "duration": milliseconds, "loop": 0}
    write_atomically(path, lambda file: first.save(file, format="GIF", **options))

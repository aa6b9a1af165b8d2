"""What a run ends with: scores, pictures, and the model."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from ..borders.checks import check_directory
from ..borders.files import write_atomically
from ..data import DataSpec
from ..data import Sequence as Sample
from ..data.sequence import check_countable
from ..data.sources import scaler_of
from ..runtime.evaluating import evaluating
from ..runtime.processes import process_state
from ..runtime.signals import StopSignal
from ..score.evaluate import Tables, evaluate
from ..score.metrics import Range
from ..score.scores import DEFAULT_METRICS
from ..viz import forecast_gif, forecast_strip, skill_by_lead_time
from .screen import main_scores


def report(
    model: nn.Module,
    data: Dataset[Sample],
    out_dir: str | Path,
    *,
    thresholds: Sequence[float] = (),
    metrics: Sequence[str] = DEFAULT_METRICS,
    data_range: Range | None = None,
    batch_size: int = 16,
    num_workers: int = 0,
    sample: int = 0,
) -> Tables:
    """Score a model on a data set, print the main scores, and leave what shows them in a directory.

    Writes `scores.md` and `scores.csv` (with a row for persistence beside each of the model's), `skill.png` (scores by
    lead time), `forecast.png` and `forecast.gif` (one forecast), and the folder `model` for `from_pretrained`.

    Args:
        model: A forecaster made by `create_model`. One that does not know its data gets the `data_spec` of these.
        data: Sequences that it was not trained on.
        out_dir: The directory.
        thresholds: See `evaluate`.
        metrics: See `evaluate`.
        data_range: See `evaluate`.
        batch_size: See `evaluate`.
        num_workers: See `evaluate`.
        sample: The sequence whose forecast is drawn.

    Returns:
        The tables `"model"` and `"persistence"`.

    Raises:
        ValueError: If the model cannot be saved, there is no such sample, a forecast is not finite, or a file cannot be
            written.
        KeyboardInterrupt: After Ctrl-C or SIGTERM.
    """
    check_countable("data", data)
    out = check_directory("out_dir", out_dir)
    if getattr(model, "config", None) is None or not callable(getattr(model, "save_pretrained", None)):
        raise ValueError(
            f"model must be one of create_model, which save_pretrained saves in the end, got a {type(model).__name__} "
            f"without a config; score it by evaluate(...), which returns the same tables."
        )
    length: int = len(data)  # type: ignore[arg-type]
    if not 0 <= sample < length:
        raise ValueError(f"sample must be from 0 to {length - 1}, the last sequence of the data, got {sample}.")
    with StopSignal():
        tables = evaluate(
            model,
            data,
            thresholds=thresholds,
            metrics=metrics,
            data_range=data_range,
            batch_size=batch_size,
            num_workers=num_workers,
        )
        if process_state().is_main_process:
            _write(model, data, tables, out, sample)
    return tables


def _write(model: nn.Module, data: Dataset[Sample], tables: Tables, out: Path, sample: int) -> None:
    ours, persistence = tables.values()
    text = ours.to_markdown(persistence) + "\n"
    write_atomically(out / "scores.md", lambda file: file.write(text.encode()))
    ours.to_csv(out / "scores.csv", persistence)
    print(ours.to_markdown(persistence, columns=main_scores(ours)))
    skill_by_lead_time([ours, persistence], out / "skill.png")
    past, future = data[sample]
    forecast = _forecast(model, past, len(future))
    scaler = scaler_of(data)
    forecast_strip(past, future, forecast, out / "forecast.png", scaler)
    forecast_gif(past, future, forecast, out / "forecast.gif", scaler)
    if getattr(model, "data_spec", None) is None:
        model.data_spec = DataSpec.of(data).to_dict()  # type: ignore[assignment]
    model.save_pretrained(out / "model", model_card_kwargs={"scores": text})  # type: ignore[operator]


@torch.no_grad()
def _forecast(model: nn.Module, past: torch.Tensor, horizon: int) -> torch.Tensor:
    device = next((parameter.device for parameter in model.parameters()), past.device)
    with evaluating(model):
        forecast = model(past[None].to(device), horizon)[0].cpu()
    return forecast.mean(dim=0) if forecast.ndim == 5 else forecast  # of an ensemble the mean

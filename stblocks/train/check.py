"""What can be known to go wrong before the first batch."""

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from ..core import AtOnce, Forecaster, RecurrentForecaster
from ..data.sequence import check_countable
from ..data.sources import physical_scaler
from ..runtime.graph import obstacle
from ..score import Scores
from .checkpoint import require_plain
from .config import TrainConfig


def check_run(
    config: TrainConfig, model: nn.Module, train_data: Any, validation_data: Any, processes: int, device: torch.device
) -> None:
    """Look at settings, model, data and machine together.

    Raises:
        ValueError: Naming every problem found.
    """
    if not isinstance(config, TrainConfig):
        raise ValueError(f"config must be a TrainConfig, got {type(config).__name__}; write TrainConfig(epochs=1).")
    for name, data in (("train_data", train_data), ("validation_data", validation_data)):
        check_countable(name, data)
    problems = config.problems() or saving_problems(config)
    if not problems:
        problems += batch_problems(config, len(train_data), processes)
        if config.precision == "fp16" and device.type == "cpu":
            problems.append("precision='fp16' needs a GPU, got a CPU; take 'bf16' or 'no'")
        if config.graph is True and (reason := obstacle(device, processes)):
            problems.append(f"graph=True {reason}; take 'auto' or False")
    if not callable(getattr(model, "rollout", None)):
        problems.append(f"model must have a method rollout(past, horizon, ...), got {type(model).__name__}")
    if isinstance(getattr(model, "_orig_mod", None), nn.Module):  # importing what makes it would take a second
        problems.append(
            "model must be a module as it is, got one of torch.compile, which trains uncompiled, since training calls "
            "model.rollout, and whose weights have other names; pass the module it was made of, and compile what fit "
            "returns"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        problems.append(f"model must have weights to train, {type(model).__name__} has none; score it by evaluate(...)")
    if not getattr(model, "teachable", True) and config.sampling != "none":
        problems.append(
            f"sampling must be 'none' for a direct model, which is fed no true future, got {config.sampling!r}"
        )
    if 0 < len(validation_data) < processes:
        problems.append(f"validation_data must hold a sequence for each of {processes} processes")
    for name, data in (("train_data", train_data), ("validation_data", validation_data)):
        problems += [f"{name} {problem}" for problem in data_problems(data, model, config.sampling)]
    if not problems:
        problems += unit_problems(config, train_data, validation_data) + score_problems(config, validation_data)
    if problems:
        raise ValueError("This run cannot start: " + "; ".join(problems) + ".")


def saving_problems(config: TrainConfig) -> list[str]:
    """Can the settings, those of a recipe's own among them, be saved as JSON and in a checkpoint?"""
    try:
        require_plain(asdict(config), "config", tensors=False)
    except ValueError as error:
        return [str(error).rstrip(".")]
    return []


def batch_problems(config: TrainConfig, sequences: int, processes: int) -> list[str]:
    """Does the batch fit the data and divide into its parts?"""
    problems = []
    if config.batch_size % (config.accumulate * processes):
        problems.append(
            f"batch_size must be divisible by accumulate={config.accumulate} times {processes} process(es), "
            f"got {config.batch_size}"
        )
    if sequences < config.batch_size:
        problems.append(f"batch_size must be at most the {sequences} training sequences, got {config.batch_size}")
    return problems


def data_problems(data: Any, model: nn.Module, sampling: str) -> list[str]:
    """Is the first sample of the data a sequence that fits the model?"""
    if not len(data):
        return ["must hold at least one sequence, got none"]
    sample = data[0]
    pair = (
        isinstance(sample, tuple | list) and len(sample) == 2 and all(isinstance(each, torch.Tensor) for each in sample)
    )
    if not pair:
        what = f"a {type(sample).__name__}" + (f" {tuple(sample.shape)}" if isinstance(sample, torch.Tensor) else "")
        return [
            f"must yield samples (past, future), got {what}; cut frames with SequenceWindows(frames, in_frames, ...)"
        ]
    past, future = sample
    for name, frames in (("past", past), ("future", future)):
        if frames.ndim != 4 or not len(frames) or not frames.is_floating_point():
            return [f"must yield {name} as floats (T, C, H, W) with T >= 1, got {frames.dtype} {tuple(frames.shape)}"]
    problems = []
    own = dict.fromkeys(each.dtype for each in model.parameters() if each.is_floating_point())
    if isinstance(model, Forecaster) and (other := {past.dtype, future.dtype} - own.keys() if own else set()):
        problems.append(
            f"must yield frames of the dtype of the model's weights, {' or '.join(map(str, own))}, got "
            f"{' and '.join(sorted(map(str, other)))}; convert them, by .float() say, or the model"
        )
    if past.shape[2:] != future.shape[2:] or past.shape[1] < future.shape[1]:
        problems.append(
            f"must have future frames of the size of past ones, with their first channels, "
            f"got {[*past.shape[1:]]} and {[*future.shape[1:]]}"
        )
    if not past.isfinite().all():
        problems.append("has NaN or infinite values in its first past; fill them")
    shape = {
        "in_channels": past.shape[1],
        "out_channels": future.shape[1],
        "image_size": [*past.shape[2:]],
        "in_frames": len(past),
    }
    for name, own in shape.items():
        expected = getattr(model, name, None)
        expected = list(expected) if isinstance(expected, tuple) else expected
        if expected not in (None, own):
            problems.append(f"must fit the model's {name}={expected}, got {own}")
    if past.shape[1] > future.shape[1]:
        problems += feedback_problems(model, len(future), sampling)
    return problems


def feedback_problems(model: nn.Module, horizon: int, sampling: str) -> list[str]:
    """Can forecasts be fed back that have fewer channels than the past?"""
    problems = []
    if sampling != "none":
        problems.append(f"must have whole future frames for sampling={sampling!r}, which feeds them; take 'none'")
    at_once = getattr(model, "out_frames", 1)
    if isinstance(model, AtOnce | RecurrentForecaster) and model.feedback is None and horizon > at_once:
        problems.append(
            f"must have future frames of all channels, or at most {at_once} of them, or the model a feedback: set "
            f"model.feedback = ... (forecasts -> inputs)"
        )
    return problems


def unit_problems(config: TrainConfig, train_data: Any, validation_data: Any) -> list[str]:
    """Have the data one physical unit, where a setting is in it?"""
    needed = [(name, train_data) for name in ("loss_thresholds", "jitter") if getattr(config, name)]
    if config.thresholds or any(name.endswith("@physical") for name in config.value_scores):
        needed.append(("thresholds and scores @physical of validation_data", validation_data))
    problems = []
    for name, data in needed:
        try:
            physical_scaler(data, name)
        except ValueError as error:
            problems.append(str(error).rstrip("."))
    return problems


def score_problems(config: TrainConfig, data: Any) -> list[str]:
    """Can frames like the first one be scored? Some metrics need a size, channels, or weights of a network."""
    frame = torch.zeros(1, 1, *data[0][1].shape[1:])
    try:
        Scores(config.thresholds, metrics=config.value_scores).update(frame, frame)
    except ValueError as error:
        return [f"metrics cannot score validation_data: {str(error).rstrip('.')}"]
    return []

"""Golden cases of metrics and schedules."""

from collections.abc import Callable

import torch
from einops import rearrange
from golden import Case, close
from torch import Tensor

from stblocks import create_model
from stblocks.score import Scores
from stblocks.train.schedule import NoSampling, ReverseScheduledSampling, Sampling, ScheduledSampling

#: Released name to our protocol. `psnr_uint8_wrap` is a bug and left out.
WHOLE = {
    "mse": "mse@frame_sum",
    "mae": "mae@frame_sum",
    "rmse": "rmse@frame_sum",
    "mse_spatial_norm": "mse@pixel",
    "mae_spatial_norm": "mae@pixel",
    "rmse_spatial_norm": "rmse@pixel",
    "psnr": "psnr@frame_mean",
    "snr": "snr@frame_mean",
    "ssim_data_range_1": "ssim@uniform7",
    "ssim_data_range_2": "ssim@uniform7_range2",
}


def metrics(case: Case) -> None:
    prediction, target = case.input["pred"], case.input["true"]

    def score(*names: str, channels: slice = slice(None)) -> dict[str, float]:
        scores = Scores(metrics=names)
        scores.update(prediction[:, :, channels], target[:, :, channels])
        return scores.compute().pooled

    scores = score(*WHOLE.values())
    ours = {theirs: scores[name] for theirs, name in WHOLE.items()}
    groups = case.config["channel_names"] or ["all"]
    width = prediction.shape[2] // len(groups)
    for error in ("mse", "mae", "rmse"):
        name = f"{error}@frame_sum"
        each = [score(name, channels=slice(i * width, (i + 1) * width))[name] for i in range(len(groups))]
        ours[f"{error}_metric"] = sum(each) / len(each)
        if case.config["channel_names"]:
            ours |= {f"{error}_channel_{group}": value for group, value in zip(groups, each, strict=True)}
    assert ours.keys() == case.output.keys() - {"psnr_uint8_wrap"}
    for name, value in ours.items():
        close(torch.tensor(value, dtype=torch.float64), case.output[name], name, 1e-6 if name == "psnr" else 1e-9)


def frames(case: Case) -> tuple[int, int]:
    return case.config["pre_seq_length"], case.config["aft_seq_length"]


def flags(case: Case, schedule: Sampling, draws: list[Tensor]) -> Tensor:
    """The released mask for given draws, from our probabilities: the last entries, one per draw."""
    drawn = torch.cat(draws, dim=1)
    chances = schedule.probabilities(int(case.input["mask_itr"]), *frames(case))[-drawn.shape[1] :]
    return (drawn < chances).double()


def agree_on_flags(ours: Tensor, theirs: Tensor) -> None:
    """Released masks repeat a flag over the patches of a frame."""
    assert torch.equal(ours[:, :, None, None, None].expand_as(theirs), theirs)


def linear(case: Case) -> None:
    config = case.config
    rate, stop = config["sampling_changing_rate"], config["sampling_stop_iter"]

    def schedule(eta: float, step: int) -> ScheduledSampling:
        """The one that has `eta` before `step`: the released code carries it from call to call."""
        return ScheduledSampling(start=eta + rate * step, rate=rate, stop_step=stop)

    def etas(starts: list[tuple[float, int]], steps: list[int]) -> Tensor:
        found = [schedule(*start).eta(step) for start, step in zip(starts, steps, strict=True)]
        return torch.tensor(found, dtype=torch.float64)

    steps, run = case.input["itr"].tolist(), case.input["run_itr"].tolist()
    starts = list(zip(case.input["eta"].tolist(), steps, strict=True))
    close(etas(starts, steps), case.output["eta"].clamp(0, 1), "eta")
    run_start = (config["run_start_eta"], config["run_start_itr"])
    close(etas([run_start] * len(run), run), case.output["run_eta"].clamp(0, 1), "run_eta")
    start = (float(case.input["mask_eta"]), int(case.input["mask_itr"]))
    close(etas([start], [start[1]])[0], case.output["mask_eta"], "mask_eta")
    agree_on_flags(flags(case, schedule(*start), [case.input["random_flip"]]), case.output["real_input_flag"])
    never = NoSampling().probabilities(start[1], *frames(case))[-1]
    close(never, case.output["off_eta"], "off_eta")
    assert torch.equal(never.expand_as(case.output["off_flag"]), case.output["off_flag"])


def reverse_exp(case: Case) -> None:
    config = case.config
    schedule = ReverseScheduledSampling(
        start_step=config["r_sampling_step_1"],
        stop_step=config["r_sampling_step_2"],
        decay_steps=config["r_exp_alpha"],
    )
    chances = torch.stack([schedule.probabilities(step, *frames(case)) for step in case.input["itr"].tolist()])
    close(chances[:, 1], case.output["r_eta"], "r_eta")
    close(chances[:, -1], case.output["eta"], "eta")
    draws = [case.input["r_random_flip"], case.input["random_flip"]]
    agree_on_flags(flags(case, schedule, draws), case.output["real_input_flag"])


def reshape_patch(case: Case) -> None:
    """The stem cuts frames into the same patches, channels in another order; its inverse is the end of the head."""
    image, p = case.input["img_tensor"].requires_grad_(), case.config["patch_size"]
    model = create_model("convlstm", in_channels=image.shape[-1], channels=4, num_layers=1, patch_size=p)
    patches = model.stem(rearrange(image, "b t h w c -> b t c h w"))
    outputs = {
        "patch_tensor": rearrange(patches, "b t (c r s) h w -> b t h w (r s c)", r=p, s=p),
        "back": rearrange(model.head[-1](patches), "b t c h w -> b t h w c"),
    }
    for name, value in outputs.items():
        close(value, case.output[name], name)
    sum((outputs[name] * probe).sum() for name, probe in case.probe.items()).backward()
    close(image.grad, case.grad_input["img_tensor"], "gradient of img_tensor", case.gradient_tolerance)


ADAPTERS: dict[str, Callable[[Case], None]] = {
    "metrics__openstl": metrics,
    "schedules__linear": linear,
    "schedules__reverse_exp": reverse_exp,
    "schedules__reshape_patch": reshape_patch,
}

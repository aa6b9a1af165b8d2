"""Golden cases of the recurrent families, run through `from_official`."""

from collections.abc import Callable

import torch
from einops import rearrange
from golden import Case, close
from torch import Tensor, nn
from torch.nn import functional

from stblocks import MIM
from stblocks.interop import KINDS, cms_lstm, from_official

Outputs = dict[str, Tensor]


def _inputs(case: Case) -> dict[str, Tensor]:
    return {name: value.clone().requires_grad_(value.is_floating_point()) for name, value in case.input.items()}


def _check(case: Case, module: nn.Module, inputs: dict[str, Tensor], outputs: Outputs) -> None:
    """Compare outputs, and the gradients of their product with the probes."""
    assert outputs.keys() == case.output.keys()
    for name, value in outputs.items():
        close(value, case.output[name], name)
    sum((outputs[name] * probe).sum() for name, probe in case.probe.items()).backward()
    for name, theirs in case.grad_input.items():
        if name == "mask_true":  # a mask here is boolean
            continue
        ours = inputs[name].grad
        close(
            torch.zeros_like(theirs) if ours is None else ours, theirs, f"gradient of {name}", case.gradient_tolerance
        )
    if case.grad_weight:
        plan = KINDS[case.kind](case.config)
        plan.load(case.grad_weight | {k: v for k, v in case.weight.items() if k not in case.grad_weight})
        theirs = dict(plan.module.named_parameters())
        for name, parameter in module.named_parameters():
            close(parameter.grad, theirs[name], f"gradient of {name}", case.gradient_tolerance)


def block(*names: str, to: tuple[str, ...]) -> Callable[[Case], None]:
    """A case whose module takes the inputs `names` and returns the outputs `to`, in these orders."""

    def run(case: Case) -> None:
        module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
        results = module(*[inputs.get(name) for name in names])
        results = (results,) if isinstance(results, Tensor) else results
        _check(case, module, inputs, dict(zip(to, results, strict=False)))

    return run


def increments(case: Case) -> None:
    """The ST-ConvLSTM with the increments of its memories, which PredRNNv2 decouples."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    h, c, m, _, delta_c, delta_m = module.advance(*[inputs[name] for name in ("x_t", "h_t", "c_t", "m_t")])
    _check(case, module, inputs, {"h_new": h, "c_new": c, "m_new": m, "delta_c": delta_c, "delta_m": delta_m})


def differences(case: Case) -> None:
    """MIM-N, whose state says that there was a step before."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    x, started = inputs["x"], torch.ones_like(inputs["x"][:, :1])
    _, h, c, *_ = module(x, torch.zeros_like(x), inputs.get("h_t"), inputs.get("c_t"), started)
    _check(case, module, inputs, {"h_new": h, "c_new": c})


def cut_memory(module: nn.Module) -> None:
    """As released, no gradient passes through the memory of MIM-S; nothing else differs."""
    for part in module.modules():
        if isinstance(part, MIM):
            part.register_forward_pre_hook(
                lambda _, given: (*given[:-1], None if given[-1] is None else given[-1].detach())
            )


def memory_in_memory(case: Case) -> None:
    """The cell of MIM after its MIM-N."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    cut_memory(module)
    n = inputs.get("diff_h", torch.zeros_like(inputs["x"]))
    h, c, m, s, _ = module(inputs["x"], n, inputs["h"], inputs["c"], inputs["m"], inputs.get("convlstm_c"))
    _check(case, module, inputs, {"new_h": h, "new_c": c, "new_m": m, "convlstm_c": s})


def cms_cell(case: Case) -> None:
    """A cell of CMS-LSTM, from a given state or from zeros."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    state = {"h": inputs["h"], "c": inputs["c"]} if "h" in inputs else None
    _, state = module(inputs["x"], state)
    _check(case, module, inputs, {"next_h": state["h"], "next_c": state["c"]})


def cms_model(case: Case) -> None:
    """CMS-LSTM step by step, on patches; and, with weights permuted, on the frames that they were cut from."""
    module, inputs, state = from_official(case.kind, case.config, case.weight), _inputs(case), None
    outputs = {}
    for step in range(case.config["steps"]):
        outputs[f"y{step}"], state = module.step(inputs[f"x{step}"], state)
    _check(case, module, inputs, outputs)

    side, sizes = 2, (case.config["input_size"], case.config["output_chans"])
    if any(size % side**2 for size in sizes):
        return
    given, made = (cms_lstm.patch_order(size // side**2, side) for size in sizes)
    module, state = from_official(case.kind, case.config | {"patch_size": side}, case.weight), None
    for step in range(case.config["steps"]):
        frame, state = module.step(functional.pixel_shuffle(case.input[f"x{step}"][:, given], side), state)
        close(functional.pixel_unshuffle(frame, side), case.output[f"y{step}"][:, made], f"frame {step}")


def expression(case: Case) -> None:
    """SE, and the maps that its attention makes."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    maps = []
    module.fuse.register_forward_pre_hook(lambda _, given: maps.append(given[0]))
    h, c = module(inputs["h_cur"], inputs["m_cur"])
    z_h, z_m = maps[0].chunk(2, dim=1)
    _check(case, module, inputs, {"h_next": h, "m_next": c, "z_h": z_h, "z_m": z_m})


def patches(case: Case) -> None:
    """Frames cut into patches, in the order of channels that interop permutes."""
    p, order = case.config["patch_size"], cms_lstm.patch_order(case.input["images"].shape[1], case.config["patch_size"])
    close(functional.pixel_unshuffle(case.input["images"], p), case.output["patches"][:, order], "patches")
    close(functional.pixel_shuffle(case.output["patches"][:, order], p), case.output["back"], "back")


def cell(case: Case) -> None:
    """A case of one cell with the motion highway."""
    module, inputs = from_official(case.kind, case.config, case.weight), _inputs(case)
    slots = {"h": inputs["h_t"], "c": inputs["c_t"], "m": inputs["m_t"], "z": inputs["motion_highway"]}
    _, slots = module.run(inputs["x_t"], slots)
    outputs = {"h_new": slots["h"], "c_new": slots["c"], "m_new": slots["m"], "motion_highway": slots["z"]}
    _check(case, module, inputs, outputs)


#: Families whose released models read the mask of reverse scheduled sampling as if it were an ordinary one.
ORDINARY = ("gmg", "motionrnn")


def teacher_mask(mask: Tensor, length: int, settings: dict, family: str) -> Tensor:
    """`(B, steps)` booleans from a released mask, given per patch and without the steps that are always true."""
    flags = mask[:, :, 0, 0, 0].bool()
    steps = length - 1
    full = torch.zeros(len(mask), steps, dtype=torch.bool)
    if settings["reverse_scheduled_sampling"] and family not in ORDINARY:
        full[:, 0], full[:, 1:] = True, flags[:, : steps - 1]  # frame t uses entry t - 1
    else:
        known = settings["pre_seq_length"]
        full[:, :known], full[:, known:] = True, flags[:, : steps - known]  # frame t uses entry t - known
    return full


def model(case: Case) -> None:
    """A case of a whole model on frames cut into patches."""
    module, inputs, settings = from_official(case.kind, case.config, case.weight), _inputs(case), case.config["configs"]
    cut_memory(module)
    p, known = settings["patch_size"], settings["pre_seq_length"]
    patches = inputs["frames_tensor"]
    frames = rearrange(patches, "b t h w (r s c) -> b t c (h r) (w s)", r=p, s=p)
    mask = teacher_mask(inputs["mask_true"].detach(), frames.shape[1], settings, case.meta["family"])
    rollout = module.rollout(frames[:, :known], frames.shape[1] - known, frames[:, known:], mask)
    forecast = rearrange(rollout.frames, "b t c (h r) (w s) -> b t h w (r s c)", r=p, s=p)
    outputs = {"next_frames": forecast, "loss": (forecast - patches[:, 1:]).square().mean()}
    if rollout.aux:
        outputs["decouple_loss"] = rollout.aux["decoupling"].mean()
        outputs["loss"] = outputs["loss"] + settings["decouple_beta"] * outputs["decouple_loss"]
    _check(case, module, inputs, outputs)


ADAPTERS: dict[str, Callable[[Case], None]] = {
    "gmg__gfm": block("x_t", "h_new", to=("h_new",)),
    "gmg__sam": block("h", "m", to=("new_h", "new_m")),
    "gmg__mgm": block("x_t", "pre_offset", "mean", to=("x_t", "offset", "mean")),
    "gmg__cell": cell,
    "gmg__model": model,
    "motionrnn__warp": block("x", "offset", to=("out",)),
    "motionrnn__motiongru": block("x_t", "pre_offset", "mean", to=("x_t", "offset", "mean")),
    "motionrnn__highway_cell": cell,
    "motionrnn__model": model,
    "predrnn__stlstm_cell": block("x_t", "h_t", "c_t", "m_t", to=("h_new", "c_new", "m_new")),
    "predrnn__model": model,
    "predrnn__v2_cell": increments,
    "predrnn__v2_model": model,
    "convlstm__cell": block("x_t", "h_t", "c_t", to=("h_new", "c_new")),
    "convlstm__model": model,
    "predrnnpp__causal_cell": block("x_t", "h_t", "c_t", "m_t", to=("h_new", "c_new", "m_new")),
    "predrnnpp__ghu": block("x", "z", to=("z_new",)),
    "predrnnpp__model": model,
    "mim__mimn": differences,
    "mim__mimblock": memory_in_memory,
    "mim__model": model,
    "cmslstm__ceblock": block("xt", "ht", to=("xt", "ht")),
    "cmslstm__msam": block("inputs", to=("out",)),
    "cmslstm__seblock": expression,
    "cmslstm__cell": cms_cell,
    "cmslstm__model": cms_model,
    "cmslstm__reshape_patch": patches,
}

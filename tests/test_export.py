"""Files of models do in onnxruntime and torch alone what the models do."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stblocks import SequenceForecaster, create_model, list_models
from stblocks.export import export_step
from tests.test_models import small_options

HORIZON = 3
#: What has no file for frames of any size, and why. Everything else has both kinds.
BOUND = ("cms_lstm", "mim", "e3d_lstm", "mau")  # weights for every position
WITHOUT = ("persistence", "advection", "lagrangian")  # neither steps nor a forecast of so many frames
#: Written for one size: matrices of all pairs of positions; tokens; wavelets; windows, whose number tracing takes for a
#: constant.
ONE_SIZE = ("mmvp", "predformer", "wast", "swinlstm_b")
SCANS = ("vmrnn_b", "vmrnn_d")  # traced for one number of positions
#: Where it must be large enough for windows.
SIZES = {"swinlstm_b": (64, 96), "swinlstm_d": (64, 96)}


def build(name, **options):
    torch.manual_seed(0)
    model = create_model(name, image_size=SIZES.get(name, (16, 24)), **small_options(name) | options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


class InTorch:
    """A file of a torch program."""

    def __init__(self, path):
        self.run = torch.export.load(path).module()

    def __call__(self, **inputs):
        return self.run(*inputs.values())


class InONNX:
    """A file of ONNX."""

    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options)
        self.inputs = tuple(each.name for each in self.session.get_inputs())
        self.outputs = tuple(each.name for each in self.session.get_outputs())

    def __call__(self, **inputs):
        found = self.session.run(None, {name: value.numpy() for name, value in inputs.items()})
        return [torch.from_numpy(np.asarray(value)) for value in found]


def forecast(exported, past, horizon):
    """What a program in another language does with the files."""
    program = InONNX if exported.path.suffix == ".onnx" else InTorch
    step = program(exported.path)
    if program is InONNX:
        assert (step.inputs, step.outputs) == (exported.inputs, exported.outputs)
    if exported.start is None:
        return step(frames=past)[0]
    state, forecasts = program(exported.start)(frame=past[:, 0]), []
    for t in range(past.shape[1] + horizon - 1):
        frame = past[:, t] if t < past.shape[1] else forecasts[-1]
        frame, *state = step(frame=frame, **dict(zip(exported.inputs[1:], state, strict=True)))
        forecasts.append(frame)
    return torch.stack(forecasts[past.shape[1] - 1 :], dim=1)


def check(model, path, size=(16, 24), **options):
    """Other batches and, where they may be, other sizes than it was traced for."""
    exported = export_step(model, path, size, **options)
    unit = exported.unit
    for height, width in [size] if unit is None else [(max(2 * unit, 8),) * 2, (5 * unit, 7 * unit)]:
        past = torch.rand(3, getattr(model, "in_frames", 2), model.in_channels, height, width)
        horizon = getattr(model, "out_frames", HORIZON)
        with torch.no_grad():
            torch.testing.assert_close(forecast(exported, past, horizon), model(past, horizon), rtol=1e-3, atol=1e-5)
    return exported


@pytest.fixture
def onnx():
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"export to ONNX needs the package {package}")


@pytest.mark.slow  # the rollout of the page below is the sample
@pytest.mark.parametrize("name", list_models())
@pytest.mark.usefixtures("onnx")
def test_every_model_in_onnxruntime(name, tmp_path):
    model = build(name)
    if name in WITHOUT:
        with pytest.raises(ValueError, match="model must be a RecurrentForecaster, DirectForecaster or"):
            export_step(model, tmp_path / "a.onnx", (16, 24))
        return
    dynamic_size = False if name in SCANS + ONE_SIZE else None
    exported = check(model, tmp_path / "a.onnx", SIZES.get(name, (16, 24)), dynamic_size=dynamic_size)
    assert (exported.unit is None) is (name in BOUND + SCANS + ONE_SIZE)


#: What lifts the bond to a size.
FREED = {"mim": {"peephole": "channel"}, "e3d_lstm": {"memory_norm": "group"}}


@pytest.mark.slow
@pytest.mark.parametrize("name", FREED)
@pytest.mark.usefixtures("onnx")
def test_models_freed_of_their_size_in_onnxruntime(name, tmp_path):
    assert check(build(name, **FREED[name]), tmp_path / "a.onnx").unit is not None


ROLLOUT = re.search(
    r"```py\n(import numpy[^`]*onnxruntime.*?)```",
    (Path(__file__).resolve().parents[1] / "docs" / "deployment.md").read_text(encoding="utf-8"),
    flags=re.S,
)[1]


@pytest.mark.usefixtures("onnx")
def test_the_rollout_of_the_page(tmp_path, monkeypatch):
    """It knows nothing but NumPy and onnxruntime, and pads frames of any size."""
    monkeypatch.chdir(tmp_path)
    model, past = build("convlstm", num_layers=1), torch.rand(2, 4, 1, 15, 21)
    export_step(model, "model.onnx", (16, 24))
    np.save("past.npy", past.numpy())
    exec(compile(ROLLOUT, "deployment.md", "exec"), {})
    with torch.no_grad():
        np.testing.assert_allclose(np.load("forecast.npy"), model(past, 10).numpy(), rtol=1e-3, atol=1e-5)
    assert set(re.findall(r"^(?:import|from) (\w+)", ROLLOUT, flags=re.M)) == {"numpy", "onnxruntime"}
    assert len(ROLLOUT.splitlines()) <= 40


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in list_models() if name not in WITHOUT])
def test_every_model_as_a_torch_program(name, tmp_path):
    dynamic_size = False if name in SCANS + ONE_SIZE else None
    exported = check(build(name), tmp_path / "a.pt2", SIZES.get(name, (16, 24)), dynamic_size=dynamic_size)
    assert (exported.unit is None) is (name in BOUND + SCANS + ONE_SIZE)


def test_sequences_in_batches_of_any_size(tmp_path):
    """Whatever the network: no model of this kind fixes the batch that it was traced for."""
    model = SequenceForecaster(nn.Conv3d(2, 3, 1), 2, 3, in_channels=1).eval()
    check(model, tmp_path / "a.pt2", (4, 6), dynamic_size=False)


def test_maps_too_small_for_the_path_of_larger_ones(tmp_path):
    """GFM takes another one where a map has less than 4 rows: the unit is such that none has."""
    model = build("simvpv2_s", plugs=["gfm"], channels=4, translator_channels=4, num_layers=1)
    exported = check(model, tmp_path / "a.pt2")
    InTorch(exported.path)(frames=torch.rand(1, 2, 1, 16, 24))
    if exported.unit == 4:  # where maps have half the sides of frames; torch 2.6 traces one path for all of them
        with pytest.raises(ValueError, match=r"cannot be written as \.pt2 for frames of these.*dynamic_size=False"):
            export_step(model, tmp_path / "b.pt2", (6, 8))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCANS)
def test_scans_say_that_they_have_one_size(name, tmp_path):
    with pytest.raises(ValueError, match=r"cannot be written as \.pt2 for frames of these sizes.*dynamic_size=False"):
        export_step(build(name), tmp_path / "a.pt2", (16, 24))


@pytest.mark.slow
@pytest.mark.parametrize("translator", ["gsta", "vit", "swin", "moga", "vss", "mlpmixer"])
def test_translators(translator, tmp_path):
    options = {"window_size": 4} if translator == "swin" else {}
    dynamic_size = False if translator == "vss" else None
    check(build("simvpv2_s", translator=translator, **options), tmp_path / "a.pt2", dynamic_size=dynamic_size)


def test_the_unit_is_what_maps_and_windows_need():
    """Without tracing anything: it is found by running the model."""
    from stblocks.export.sizes import find_unit

    units = {"convlstm": 2, "gmg_l": 4, "swinlstm_d": 32, "simvp": 2, "mim": None}
    assert {name: find_unit(build(name), (64, 96), required=False) for name in units} == units
    assert find_unit(build("swinlstm_d"), (64, 32), required=False) is None
    with pytest.raises(ValueError, match=r"image_size must then be multiples of 32 from 64 on, and is \(64, 80\)"):
        find_unit(build("swinlstm_d"), (64, 80), required=True)


def test_frames_much_larger_than_asked_for_are_not_tried(monkeypatch):
    from stblocks.export import sizes

    sides, measures = [], sizes._measures
    monkeypatch.setattr(sizes, "_measures", lambda model, side: sides.append(side) or measures(model, side))
    assert sizes.find_unit(build("wast"), (16, 24), required=False) is None
    assert sides
    assert max(sides) <= 3 * 16

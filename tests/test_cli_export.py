"""`stblocks export` writes what `export_step` does, of a saved model."""

import json
from contextlib import nullcontext
from shutil import copytree

import pytest
import torch

import stblocks.export
from stblocks import Forecaster, create_model
from stblocks.cli import main
from stblocks.data import DataSpec


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    model = create_model("convlstm", image_size=(8, 8), channels=4, num_layers=1, kernel_size=3, patch_size=2)
    model.data_spec = DataSpec(offset=0.0, scale=1.0, image_size=(16, 24)).to_dict()
    place = tmp_path_factory.mktemp("saved") / "model"
    model.save_pretrained(place)
    return place


def test_a_program_computes_the_step(saved, tmp_path, capsys):
    path = tmp_path / "step.pt2"
    main(["export", str(saved), "--torch", str(path)])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{path}: frame, state.")
    assert (
        printed[1]
        == f"{tmp_path / 'step.start.pt2'}: frame -> {', '.join(printed[0].split(' -> ')[0].split(', ')[1:])}"
    )
    assert printed[2].startswith("frames of any height and width that are multiples of ")
    frame = torch.rand(1, 1, 16, 24)
    start, step = (torch.export.load(str(file)).module() for file in (path.with_suffix(".start.pt2"), path))
    forecast, *_ = step(frame, *start(frame))
    torch.testing.assert_close(forecast, Forecaster.from_pretrained(saved).step(frame)[0])


@pytest.mark.parametrize("there", ["step.pt2", "step.start.pt2"])
def test_neither_file_is_replaced_unless_asked_for(there, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        stblocks.export, "export_step", lambda _, path, *__, **___: stblocks.export.Exported(path, None, (), (), None)
    )
    (tmp_path / there).touch()
    arguments = ["export", str(saved), "--torch", str(tmp_path / "step.pt2")]
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    printed = capsys.readouterr().err
    assert f"{tmp_path / there} is there already; name another file, or replace it with --force" in printed
    assert printed.count("\n") == 1
    main([*arguments, "--force"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--onnx", "a.onnx"], ("a.onnx", (16, 24), None)),
        (["--onnx", "a.onnx", "--image-size", "32", "40", "--fixed"], ("a.onnx", (32, 40), False)),
    ],
)
def test_options_reach_the_export(options, expected, saved, monkeypatch, capsys):
    asked = []

    def export_step(model, path, size, *, dynamic_size):
        asked.append((str(path), size, dynamic_size))
        return stblocks.export.Exported(path, None, ("frames",), ("forecast",), None)

    monkeypatch.setattr(stblocks.export, "export_step", export_step)
    main(["export", str(saved), *options])
    assert asked == [expected]
    assert capsys.readouterr().out.endswith(f"frames of {expected[1][0]} x {expected[1][1]}\n")


@pytest.mark.parametrize(
    ("changed", "size"),
    [
        ({"data_spec": None}, "8 x 8"),
        ({"data_spec": {"offset": 0.0, "scale": 1.0}}, "8 x 8"),
        ({"data_spec": None, "image_size": None}, "64 x 64"),  # what models are built for where a config does not say
        ({"data_spec": {"image_size": 5}}, "image_size of a DataSpec must be (H, W), or None, got 5"),
    ],
)
def test_the_size_is_that_of_the_training_or_of_the_config(changed, size, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        stblocks.export, "export_step", lambda _, path, *__, **___: stblocks.export.Exported(path, None, (), (), None)
    )
    copytree(saved, tmp_path / "model")
    config = json.loads((saved / "config.json").read_text()) | changed
    (tmp_path / "model" / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with nullcontext() if " x " in size else pytest.raises(SystemExit, match="2"):
        main(["export", str(tmp_path / "model"), "--torch", str(tmp_path / "a.pt2")])
    printed = capsys.readouterr()
    assert size in printed.out + printed.err
    assert printed.err.count("\n") <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "one of the arguments --onnx --torch is required"),
        (["--onnx", "a.pt"], "--onnx must be a file that ends in .onnx, got a.pt"),
        (["--torch", "a.onnx"], "--torch must be a file that ends in .pt2, got a.onnx"),
        (["--torch", "there.pt2"], "there.pt2 is there already; name another file, or replace it with --force"),
        (["--torch", "a.pt2", "--image_size", "9", "9", "--fixed"], "image_size must be multiples of 2"),
    ],
)
def test_a_mistake_is_one_line(options, message, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pt2").touch()
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(saved), *options])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there.pt2"]

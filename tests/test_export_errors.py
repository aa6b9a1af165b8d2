"""What cannot be exported is refused, and files that are there stay."""

import pytest
from test_export import build
from torch import nn

from stblocks import Cell, ConvLSTM, Forecaster, RecurrentForecaster, RecurrentStack
from stblocks.export import export_step
from stblocks.export.programs import Step


class Doubling(nn.Module):
    """A layer that does not say what it makes of a shape."""

    def forward(self, x):
        return x.repeat_interleave(2, -1)


@pytest.mark.parametrize(
    ("make", "path", "size", "options", "message"),
    [
        (lambda: build("convlstm"), "a.pt", (8, 8), {}, r"path must end in \.onnx or \.pt2, got a\.pt"),
        (lambda: build("convlstm"), "a.pt2", (8,), {}, r"image_size must be \(H, W\), got \(8,\)"),
        (
            lambda: build("convlstm"), "a.pt2", (8, 9), {"dynamic_size": False},
            r"image_size must be multiples of 2, since padding is not in the file, got \(8, 9\)",
        ),
        (
            lambda: build("mim"), "a.pt2", (16, 24), {"dynamic_size": True},
            r"dynamic_size must be False .* this model is bound to image_size=[\[(]16, 24",
        ),
        (
            lambda: Forecaster(in_channels=1), "a.pt2", (8, 8), {"dynamic_size": False},
            "model must be a RecurrentForecaster, DirectForecaster or SequenceForecaster, got Forecaster",
        ),
        (
            lambda: RecurrentForecaster(nn.Identity(), RecurrentStack([Cell(ConvLSTM(1, 1))]), nn.Identity()),
            "a.pt2", (8, 8), {"dynamic_size": False}, "model must know its in_channels to be exported",
        ),
        (
            lambda: RecurrentForecaster(
                nn.Identity(), RecurrentStack([Doubling(), Cell(ConvLSTM(1, 1))]), nn.Identity(), in_channels=1
            ),
            "a.pt2", (8, 8), {"dynamic_size": False}, r"layer 1 of the stack must know its state beforehand",
        ),
    ],
)  # fmt: skip
def test_errors(make, path, size, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        export_step(make(), path, size, **options)
    assert not [*tmp_path.iterdir()]


def test_a_step_that_cannot_be_written_leaves_the_pair_that_is_there(tmp_path, monkeypatch):
    import stblocks.export

    path, write = tmp_path / "m.pt2", stblocks.export.write_program
    export_step(build("convlstm"), path, (8, 8), dynamic_size=False)
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    assert {each.name for each in before} == {"m.pt2", "m.start.pt2"}

    def fail(module, *rest):
        if isinstance(module, Step):
            raise ValueError("This model cannot be written")
        write(module, *rest)

    monkeypatch.setattr(stblocks.export, "write_program", fail)
    with pytest.raises(ValueError, match="This model cannot be written"):
        export_step(build("predrnn"), path, (8, 8), dynamic_size=False)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("stblocks.export.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'stblocks\[export\]'"):
        export_step(build("convlstm"), tmp_path / "a.onnx", (8, 8))

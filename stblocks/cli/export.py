"""Write a saved model for programs without this library: ONNX, or a torch program. Needs the extra `export` for ONNX.

stblocks export runs/radar/model --onnx radar.onnx
stblocks export runs/radar/model --onnx radar.onnx --image_size 512 512
stblocks export runs/weather/model --torch weather.pt2

Of a recurrent model it is one step: frame and state in, forecast of the next frame and state out; a second file beside
it, with .start in its name, makes the state to start from. Of a direct model it is the whole forecast. Frames are in
model units.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..borders.command_line import Parser, positive


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command."""
    parser.add_argument("checkpoint", help="directory of a saved model, or its name on the hub")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--onnx", type=Path, metavar="FILE", help="an .onnx file")
    where.add_argument("--torch", type=Path, metavar="FILE", help="a .pt2 file, for torch.export.load")
    parser.add_argument(
        "--image_size",
        type=positive,
        nargs=2,
        metavar=("H", "W"),
        help="of a frame; by default as in training",
    )
    parser.add_argument("--fixed", action="store_true", help="for frames of this size alone, as models that scan need")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    options = parser.parse_args(arguments)
    path, ending = (options.onnx, ".onnx") if options.onnx is not None else (options.torch, ".pt2")
    if path.suffix != ending:
        raise ValueError(
            f"--{'onnx' if ending == '.onnx' else 'torch'} must be a file that ends in {ending}, got {path}."
        )
    check_free(path, options.force)
    from ..core import Forecaster, RecurrentForecaster  # slow to import
    from ..data import DataSpec
    from ..export import export_step

    model: Any = Forecaster.from_pretrained(options.checkpoint)
    if isinstance(model, RecurrentForecaster):
        check_free(path.with_suffix(f".start{ending}"), options.force)  # which comes with it
    trained = None if model.data_spec is None else DataSpec.of_model(model).image_size
    size = options.image_size or trained or model.config["image_size"]  # which every model by name has
    made = export_step(model, path, tuple(size), dynamic_size=False if options.fixed else None)
    print(f"{made.path}: {', '.join(made.inputs)} -> {', '.join(made.outputs)}")
    if made.start is not None:
        print(f"{made.start}: frame -> {', '.join(made.inputs[1:])}")
    if made.unit is None:
        print(f"frames of {size[0]} x {size[1]}")
    else:
        print(f"frames of any height and width that are multiples of {made.unit}, {2 * made.unit} at least")


def check_free(path: Path, force: bool) -> None:
    """Raise a `ValueError` if a file is there that is not to be replaced."""
    if path.exists() and not force:
        raise ValueError(f"{path} is there already; name another file, or replace it with --force.")

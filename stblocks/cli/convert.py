"""Turn a checkpoint of a paper's released code into a model of this library.

stblocks convert gmg.pth --kind gmg/model --config config.json --out models/gmg
stblocks convert gmg.pth --kind gmg/model --config config.json --out models/gmg --offset -10 --scale 95 --unit dBZ
stblocks convert --kinds

The config holds the arguments of the released class by its names, as a JSON file or as text; the page on released
weights says which. Names may begin with model. or module., and weights may lie within a training checkpoint.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..borders.command_line import Parser


def main(parser: Parser, arguments: Sequence[str]) -> None:
    """Run the command."""
    parser.add_argument("official", type=Path, help="the released checkpoint, of torch.save or safetensors")
    parser.add_argument("--kind", required=True, metavar="NAME", help="what it is of, such as gmg/model")
    parser.add_argument(
        "--config", required=True, metavar="JSON", help="arguments of the released class, a file or text"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="directory of the saved model")
    parser.add_argument("--kinds", action=_Kinds, nargs=0, help="list the kinds and end")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--offset", type=float, metavar="X", help="the physical value that is 0 to the model")
    parser.add_argument("--scale", type=float, metavar="X", help="physical units per model unit")
    parser.add_argument("--unit", metavar="NAME", help="the physical unit, with --offset and --scale")
    options = parser.parse_args(arguments)
    if options.out.exists() and not options.force:
        raise ValueError(f"{options.out} is there already; name another directory, or replace it with --force.")
    if (options.offset is None) != (options.scale is None):
        raise ValueError("--offset and --scale belong together: physical = model * scale + offset.")
    if options.unit is not None and options.offset is None:
        raise ValueError(f"--unit goes with --offset and --scale, which say what is 1 {options.unit}; give these, too.")
    from ..core import Forecaster  # slow to import
    from ..data import DataSpec
    from ..interop import KINDS, from_official, read_official

    KINDS.find(options.kind)  # before a large file is read

    model = from_official(options.kind, read_config(options.config), read_official(options.official))
    if not isinstance(model, Forecaster):
        raise ValueError(f"--kind must be of a whole model to be saved, such as gmg/model, got {options.kind}, a part.")
    if options.offset is not None:
        model.data_spec = DataSpec(offset=options.offset, scale=options.scale, unit=options.unit or "").to_dict()
    model.save_pretrained(options.out)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{options.out}: {(model.config or {})['model']} of {count:,} parameters")


class _Kinds(argparse.Action):
    """Lists the kinds."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from ..interop import KINDS  # slow to import

        print("\n".join(KINDS.names()))
        parser.exit()


def read_config(given: str) -> Mapping[str, Any]:
    """A JSON object, in a file or as it is.

    Raises:
        ValueError: If it is none.
    """
    text, where = given, "--config"
    if not given.lstrip().startswith("{"):
        where = given
        try:
            text = Path(given).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--config must be a JSON file or an object {{...}}, got {given} ({error}).") from error
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} must be JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(f"{where} must be an object of JSON, got {type(config).__name__}.")
    return config

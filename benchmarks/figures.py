"""Parameters and multiply-adds of every registered model in the setting of its published figures, for the docs.

`python -m benchmarks.figures` writes `benchmarks/results/models.json`.
"""

import json
import re
from pathlib import Path

from stblocks import list_models
from stblocks.cli.describe import model_info

RESULT = Path(__file__).parent / "results" / "models.json"


def figures(name: str) -> dict[str, int]:
    """What `stblocks info` counts: `parameters`, `multiply-adds`, and `with the scan` where there is one."""
    rows = re.findall(r"^ *(parameters|multiply-adds|with the scan) +([\d,]+)", model_info(name), flags=re.M)
    return {row: int(number.replace(",", "")) for row, number in rows}


def main() -> None:
    """Writes the file."""
    RESULT.write_text(json.dumps({name: figures(name) for name in list_models()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The records of a run: `metrics.jsonl`, and TensorBoard where it is installed."""

import json
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..borders.checks import is_number
from ..borders.files import write_atomically

Record = dict[str, Any]
METRICS = "metrics.jsonl"


class Log:
    """The records of a run, one JSON object a line, each with the `"step"` it was made after.

    `seconds` is what the steps so far have taken, and goes on from the records that there are.

    Args:
        directory: The run's.
        step: Where the run stands: later records, of steps that were lost, are dropped.
        judged: The step of the last validation that counts: records of later ones are dropped too.
        active: Does this process write? The others only pass by.
    """

    def __init__(self, directory: Path, step: int, judged: int, active: bool) -> None:
        self.path, self.active = directory / METRICS, active
        self.records: list[Record] = []
        self.seconds = 0.0
        self._board: Any = None
        if not active:
            return
        self.records = [
            record for record in read_records(self.path) if record["step"] <= (step if "loss" in record else judged)
        ]
        self.seconds = next((record["seconds"] for record in reversed(self.records) if "seconds" in record), 0.0)
        lines = "".join(map(_line, self.records)).encode()
        write_atomically(self.path, lambda file: file.write(lines))
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(directory / "tensorboard", purge_step=step + 1)

    def write(self, record: Record) -> None:
        """Add a record, and to it the seconds."""
        if not self.active:
            return
        record = {**record, "seconds": round(self.seconds, 3)}
        self.records.append(_finite(record))  # as they are read again
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))
        if self._board is not None:
            for name, value in _scalars(record):
                self._board.add_scalar(name, value, record["step"])

    def mean_loss(self, epoch: int) -> float:
        """Mean training loss of an epoch so far, from 1; NaN where nothing is recorded."""
        losses = [record["loss"] for record in self.records if record["epoch"] == epoch and "loss" in record]
        return sum(losses) / len(losses) if losses else math.nan

    def close(self) -> None:
        """Flush what is not written yet."""
        if self._board is not None:
            self._board.close()


def read_records(path: str | Path) -> list[Record]:
    """The records of a run so far; none where there is no file, and without a last line that was cut short.

    Args:
        path: A run's directory, or the file `metrics.jsonl` in it.

    Raises:
        ValueError: If another line is damaged.
    """
    path = Path(path)
    path = path / METRICS if path.is_dir() else path
    if not path.is_file():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [_read(line, f"{path}, line {i}") for i, line in enumerate(lines, start=1) if line.endswith(b"\n")]


def _read(line: bytes, where: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON ({error}); delete this line to go on without its record.") from error
    if not isinstance(record, dict) or not all(type(record.get(key)) is int for key in ("step", "epoch")):
        raise ValueError(f"{where} is not a record with step and epoch; delete this line to go on without it.")
    if not is_number(record.get("seconds", 0.0)):
        raise ValueError(f"{where} has seconds that are no number; delete this line to go on without it.")
    return record


def _line(record: Record) -> str:
    """JSON has no NaN: it becomes null."""
    return json.dumps(_finite(record)) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _scalars(record: Record, prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, float):
            yield prefix + name, value

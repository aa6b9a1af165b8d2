"""What papers claim of their blocks, tried on boards of several seeds.

    python -m benchmarks.claims runs/board-1 runs/board-2

reads the boards that `recipes/hybrids.py` and `recipes/translators.py` left there, adds them to
`benchmarks/results/boards.json`, and makes of this file the tables of the docs' leaderboard. Without boards it makes
the tables anew.
"""

import csv
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COSTS = ("parameters", "multiply_adds", "milliseconds")
#: Data: how tables call them, and the scores that claims are judged by.
DATA = {
    "moving_mnist": ("Moving MNIST", ("mse@frame_sum", "ssim@uniform7")),
    "moving_mnist_1200": ("Moving MNIST, 1,200 steps", ("mse@frame_sum", "ssim@uniform7")),
    "radar": ("radar", ("mse@frame_sum", "csi@20")),
}
#: Boards of digits by the steps of their runs, of which each length has a table of its own.
STEPS = {400: "moving_mnist", 1200: "moving_mnist_1200"}
#: Of which scores more is better.
HIGHER = ("ssim", "csi")


@dataclass(frozen=True)
class Claim:
    """That one model is better than another.

    Args:
        text: The claim.
        source: Where it is made.
        better: Name on the board of the model that is said to be better.
        worse: Name of the one it is compared with.
    """

    text: str
    source: str
    better: str
    worse: str


def claims() -> Iterator[Claim]:
    """Those that are tried."""
    ablation = "GMG, Table VI"
    for plug in ("gfm", "sam", "mgm"):
        yield Claim(f"{plug.upper()} improves PredRNN", ablation, f"predrnn+{plug}", "predrnn")
    yield Claim("GFM, SAM and MGM together improve PredRNN", ablation, "predrnn+gfm+sam+mgm", "predrnn")
    for base, name in (("convlstm", "ConvLSTM"), ("predrnn", "PredRNN"), ("sa_convlstm", "SA-ConvLSTM")):
        for plugs, text in (("ce", "CE improves"), ("se", "SE improves"), ("ce+se", "CE and SE improve")):
            yield Claim(f"{text} {name}", "CMS-LSTM, Table 3", f"{base}+{plugs}", base)
    for other, name in (("swin", "Swin"), ("mlpmixer", "MLPMixer"), ("poolformer", "Poolformer")):
        yield Claim(f"gSTA is a better translator than {name}", "SimVPv2, Sec. V-E1", "simvp+gsta", f"simvp+{other}")
    yield Claim("TAU is a better translator than gSTA", "Tan et al., CVPR 2023", "simvp+tau", "simvp+gsta")
    yield Claim("VSS blocks improve VMRNN's cell", "VMRNN, Sec. 3.2", "vmrnn", "projection_lstm")


def read_board(folder: Path) -> dict[str, Any]:
    """A board: the data, and the models with what they cost and the scores of every run.

    Raises:
        ValueError: If there is no board, or one of other lengths than are compared.
    """
    if not (table := folder / "leaderboard.csv").is_file():
        raise ValueError(f"boards must be directories with a leaderboard.csv, got {folder}.")
    models: dict[str, dict[str, Any]] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            costs = {name: float(row[name]) for name in COSTS}
            model = models.setdefault(row["model"], {"base": row["base"], **costs, "scores": {}})
            for name in sorted(column for column in row if "@" in column):  # a score's name says its convention
                model["scores"].setdefault(name, []).append(float(row[name]))
    config = json.loads(next(folder.glob("*/seed-*/config.json")).read_text(encoding="utf-8"))
    data, steps = config["data"], config["epochs"] * (config["sequences"] // config["batch_size"])
    if data == "moving_mnist":
        if steps not in STEPS:
            raise ValueError(f"boards of Moving MNIST must be of {' or '.join(map(str, STEPS))} steps, got {steps}.")
        data = STEPS[steps]
    return {"data": data, "models": models}


def verdict(better: Sequence[float], worse: Sequence[float]) -> str:
    """Of runs of a model that is said to be better, and of another, whose scores are the better the higher.

    Confirmed if the worst run of the one beats the best of the other, refuted the other way round, and else not
    decided. Of the twenty orders that three runs of either may come in, one confirms and one refutes.
    """
    if min(better) > max(worse):
        return "confirmed"
    return "refuted" if max(better) < min(worse) else "not decided"


def claims_table(boards: dict[str, Any]) -> list[list[str]]:
    """A row for every claim and board that has both of its models: for each score the means, and the verdict."""
    rows = []
    for claim in claims():
        for board in boards.values():
            models, (data, scores) = board["models"], DATA[board["data"]]
            if not {claim.better, claim.worse} <= models.keys():
                continue
            row = [claim.text, claim.source, data]
            for score in scores:
                better, worse = (models[name]["scores"][score] for name in (claim.better, claim.worse))
                found = verdict(_quality(better, score), _quality(worse, score))
                row += [f"{' ± '.join(_mean(better))} to {' ± '.join(_mean(worse))}", found]
            rows.append(row)
    return rows


def ranking(boards: dict[str, Any], data: str) -> list[list[str]]:
    """A row for every model on the boards of some data, best first.

    Raises:
        ValueError: If two boards have other scores of one model.
    """
    models: dict[str, Any] = {}
    for name, board in boards.items():
        for model, found in board["models"].items() if board["data"] == data else ():
            if models.setdefault(model, found)["scores"] != found["scores"]:
                raise ValueError(f"{model} must have the same scores on all boards of {data}, got others on {name}.")
    _, scores = DATA[data]
    first = scores[0]
    rows = []
    for name, model in sorted(models.items(), key=lambda item: -sum(_quality(item[1]["scores"][first], first))):
        row = [name, f"{model['parameters'] / 1e6:.3f}", f"{model['multiply_adds'] / 1e9:.3f}"]
        rows.append(row + [cell for score in scores for cell in _mean(model["scores"][score])])
    return rows


def tables(collected: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables of the docs, by the names of their files."""
    boards, machine = collected["boards"], {"machine": collected["machine"]}
    judged = ["claim", "made in", "tried on", "MSE", "verdict", "SSIM, CSI at 20 dBZ", "verdict"]
    made = {"claims": {**machine, "columns": judged, "rows": claims_table(boards)}}
    for data, (_, scores) in DATA.items():
        columns = ["model", "parameters (M)", "multiply-adds (G)", scores[0], "±", scores[1], "±"]
        made[f"leaderboard_{data}"] = {**machine, "columns": columns, "rows": ranking(boards, data)}
    return made


def main(folders: Sequence[str]) -> None:
    """Adds the boards in these directories, and writes all files.

    Raises:
        ValueError: If there is no board, or it has other scores of a model than another.
    """
    file = RESULTS / "boards.json"
    collected = json.loads(file.read_text(encoding="utf-8"))
    collected["boards"] |= {Path(folder).name: read_board(Path(folder)) for folder in folders}
    for name, table in tables(collected).items():
        _write(RESULTS / f"{name}.json", table)
    _write(file, collected)


def _quality(values: Sequence[float], score: str) -> list[float]:
    """The better the higher; of a run that diverged, the worst there is."""
    sign = 1 if score.startswith(HIGHER) else -1
    return [-math.inf if math.isnan(value) else sign * value for value in values]


def _mean(values: Sequence[float]) -> tuple[str, str]:
    """Mean and standard deviation, or in the place of both what can be said instead."""
    if diverged := sum(map(math.isnan, values)):
        return f"{diverged} of {len(values)} diverged", "NaN"
    return f"{statistics.fmean(values):.4g}", f"{statistics.stdev(values):.2g}"


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a run shows on screen: a progress bar, and a table that grows by a row with every validation."""

from tqdm import tqdm

from ..score.table import Table


def main_scores(table: Table) -> list[str]:
    """The metrics that fit on a screen; files have all."""
    shown = ("mse@pixel", "mae@pixel", "rmse@physical", "mae@physical", "psnr@", "ssim@", "lpips@", "csi@")
    return [name for name in table.pooled if name.startswith(shown)]


class Screen:
    """Bar and table.

    Args:
        steps: Of the whole run.
        step: Where it stands.
        active: Does this process show anything?
    """

    def __init__(self, steps: int, step: int, active: bool) -> None:
        self.active = active
        self._columns: list[str] = []
        # disable=None: a bar on a terminal, none in a file.
        self._bar = tqdm(total=steps, initial=step, unit="step", disable=None if active else True, leave=False)

    def step(self, loss: float) -> None:
        """Move on by a step."""
        self._bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
        self._bar.update()

    def validation(self, epoch: int, loss: float, tables: dict[str, Table]) -> None:
        """Add a row; the first comes with the header, and with persistence, whose scores stay the same."""
        if not self._columns:
            self._columns = main_scores(tables["model"])
            self._row("epoch", "train loss", self._columns)
            self._row("persistence", "", self._scores(tables["persistence"]))
        self._row(str(epoch), f"{loss:.4g}", self._scores(tables["model"]))

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def _scores(self, table: Table) -> list[str]:
        return [f"{table.pooled[name]:.4g}" for name in self._columns]

    def _row(self, epoch: str, loss: str, scores: list[str]) -> None:
        if self.active:
            cells = (f"{score:>{max(8, len(name))}}" for name, score in zip(self._columns, scores, strict=True))
            self._bar.write("  ".join([f"{epoch:<11}", f"{loss:>10}", *cells]))

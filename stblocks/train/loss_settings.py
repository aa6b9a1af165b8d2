"""The settings of what training minimises."""

from dataclasses import dataclass
from typing import Annotated, Any

from ..data import Scaler
from .frequency import HighFrequencyFocal
from .settings import NUMBERS, Check, Help, Settings, above, at_least
from .terms import Pinball, SoftCSI, SoftFSS, SpectralAmplitude, Term, ThresholdWeights

ODD = Check("an odd number >= 1", lambda value: type(value) is int and value >= 1 and value % 2 == 1)
INSIDE = Check("in (0, 1)", lambda value: type(value) in (int, float) and 0 < value < 1)


@dataclass(frozen=True, kw_only=True)
class LossSettings(Settings):
    """Weights of the parts of the loss, and where it looks for heavy rain."""

    l1: Annotated[float, at_least(0), Help("Weight of the mean absolute error in the loss.")] = 1.0
    l2: Annotated[float, at_least(0), Help("Weight of the mean squared error in the loss.")] = 1.0
    loss_thresholds: Annotated[
        tuple[float, ...],
        NUMBERS,
        Help("Where `heavier`, `csi` and `fss` cut, in the units of the data's scaler: 20 and 30 dBZ, say."),
    ] = ()
    heavier: Annotated[
        tuple[float, ...],
        NUMBERS,
        Help("How much more a cell weighs in `l1` and `l2` from each of `loss_thresholds` on; it weighs 1 below."),
    ] = ()
    csi: Annotated[float, at_least(0), Help("Weight of one less the CSI, made soft, at `loss_thresholds`.")] = 0.0
    fss: Annotated[float, at_least(0), Help("The same for the fractions skill score.")] = 0.0
    fss_window: Annotated[int, ODD, Help("Side of the windows of `fss`, in cells.")] = 5
    softness: Annotated[
        float,
        above(0),
        Help("How far from a threshold `csi` and `fss` still move a forecast, in the units of the data's scaler."),
    ] = 2.0
    spectral: Annotated[
        float, at_least(0), Help("Weight of the squared error of the amplitudes of the Fourier transform.")
    ] = 0.0
    high_frequency: Annotated[
        float, at_least(0), Help("Weight of WaST's focal loss of high frequencies, 0.001 in its paper.")
    ] = 0.0
    pinball: Annotated[float, at_least(0), Help("Weight of the pinball loss, which `quantile` minimises.")] = 0.0
    quantile: Annotated[float, INSIDE, Help("Which quantile of what may happen `pinball` asks for.")] = 0.75

    def problems(self) -> list[str]:
        """See `Settings`."""
        found = super().problems()
        if found:
            return found
        if not any((self.l1, self.l2, self.csi, self.fss, self.pinball)):
            found.append("l1 and l2 must not both be 0: nothing would compare forecast and truth")
        by_threshold = {"heavier": bool(self.heavier), "csi": self.csi > 0, "fss": self.fss > 0}
        if not self.loss_thresholds:
            found += [f"{name} needs loss_thresholds, where it cuts" for name, used in by_threshold.items() if used]
        elif self.heavier and (len(self.heavier) != len(self.loss_thresholds) or min(self.heavier) < 0):
            found.append(f"heavier must be a number >= 0 for each of loss_thresholds, got {self.heavier!r}")
        users = {
            "loss_thresholds": ("heavier", "csi", "fss"),
            "fss_window": ("fss",),
            "softness": ("csi", "fss"),
            "quantile": ("pinball",),
        }
        for name, of in users.items():
            idle = not any(getattr(self, user) for user in of)
            if idle and getattr(self, name) != getattr(LossSettings, name):
                found.append(f"{name} changes nothing without {' or '.join(of)}; give that, or leave {name} out")
        return found

    def objective_options(self, scaler: Scaler | None) -> dict[str, Any]:
        """What `Objective` is made with: `l1` and `l2`, and what else has a weight.

        Args:
            scaler: The data's, from model units to those of the thresholds.
        """
        made: dict[str, tuple[float, Term]] = {}
        if self.csi:
            made["csi"] = self.csi, SoftCSI(self.loss_thresholds, softness=self.softness, scaler=scaler)
        if self.fss:
            term = SoftFSS(self.loss_thresholds, window=self.fss_window, softness=self.softness, scaler=scaler)
            made["fss"] = self.fss, term
        if self.spectral:
            made["spectral"] = self.spectral, SpectralAmplitude()
        if self.high_frequency:
            made["high_frequency"] = self.high_frequency, HighFrequencyFocal()
        if self.pinball:
            made["pinball"] = self.pinball, Pinball(self.quantile)
        options: dict[str, Any] = {"l1": self.l1, "l2": self.l2}
        if made:
            options["terms"] = made
        if self.heavier:
            options["cell_weights"] = ThresholdWeights(self.loss_thresholds, self.heavier, scaler)
        return options

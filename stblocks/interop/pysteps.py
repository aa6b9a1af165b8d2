"""A model as a nowcast method of pysteps: NumPy in, NumPy out, in physical units. It does not need pysteps."""

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import torch

from ..borders.checks import check_positive
from ..core import Forecaster
from ..data import DataSpec, Scaler
from ..data.fill import fill_past
from ..data.spec import spec_of

Nowcast = Callable[..., np.ndarray]


def as_pysteps_nowcast(model: Forecaster, scaler: Scaler | None = None) -> Nowcast:
    """A function with the signature and shapes of pysteps' nowcast methods, `nowcast(precip, timesteps)`.

    It can be handed to what takes such methods, such as pysteps' verification. Motion is the model's own business, so
    that there is no argument for it: where a caller passes one, `lambda precip, velocity, timesteps: nowcast(precip,
    timesteps)` leaves it out.

    Args:
        model: A forecaster of one channel; it is switched to `eval()`, and forecasts on its device.
        scaler: From the units of `precip` to the model's; `None` takes that of the data it was trained on, which models
            know that `fit` has trained.

    Returns:
        The function `nowcast(precip, timesteps)`. `precip` holds observed fields `(T, m, n)` in physical units, the
        newest one last; of more fields than a direct model takes, it takes the last ones. NaN marks missing cells,
        which are filled as in training, or with 0 in the model's units. `timesteps` is how many fields to forecast, or
        a list of whole lead times in steps, in rising order. It returns `(number of timesteps, m, n)` in physical
        units, in the floating-point type of `precip`, and NaN where the newest field is.

    Raises:
        ValueError: If the model's frames have more channels, or it does not know its data and no `scaler` is given,
            or has a `data_spec` that does not fit it.
            From the function: if `precip` has another shape or too few fields, or `timesteps` is neither of these.
    """
    if not isinstance(model, Forecaster):
        raise ValueError(f"model must be a Forecaster, got {type(model).__name__}; of an ensemble take each by itself.")
    if (model.in_channels, model.out_channels) != (1, 1):
        raise ValueError(
            f"model must take and forecast one channel, as pysteps' fields are, got in_channels={model.in_channels} "
            f"and out_channels={model.out_channels}."
        )
    model.eval()
    units = DataSpec.of_model(model).scaler() if scaler is None else scaler
    fill = spec_of(model).fill or "zero"

    def nowcast(precip: np.ndarray, timesteps: int | Sequence[int]) -> np.ndarray:
        fields = np.asarray(precip)
        if fields.ndim != 3 or not len(fields):
            raise ValueError(f"precip must be (T, m, n) with T >= 1, got shape {fields.shape}.")
        leads = _leads(timesteps)
        kept = fields[-getattr(model, "in_frames", len(fields)) :]
        scaled = units.to_model(torch.tensor(kept, dtype=torch.float64)[None, :, None])
        past = fill_past(scaled, fill).to(next(model.parameters(), torch.empty(0)))
        frames = [
            units.to_physical(frame.double())[0, 0].cpu().numpy()
            for lead, frame in enumerate(islice(model.steps(past), leads[-1]), start=1)
            if lead in leads
        ]
        kind = fields.dtype if fields.dtype.kind == "f" else np.float64
        return np.where(np.isnan(fields[-1]), np.nan, np.stack(frames)).astype(kind)

    return nowcast


def _leads(timesteps: int | Sequence[int]) -> list[int]:
    if isinstance(timesteps, int | np.integer):
        check_positive(timesteps=int(timesteps))
        return [*range(1, int(timesteps) + 1)]
    leads = [int(each) for each in timesteps]
    if leads != [*timesteps] or not leads or leads[0] < 1 or sorted(set(leads)) != leads:
        raise ValueError(
            f"timesteps must be a number of steps, or whole lead times of at least 1 in rising order, "
            f"got {timesteps!r}; a model has no forecast between its steps."
        )
    return leads

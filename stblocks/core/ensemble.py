"""Ensembles: forecasts of several models, or from several guesses of what was seen, side by side."""

from collections.abc import Callable, Sequence
from math import ceil

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ..borders.checks import check_integer, check_positive

#: Past frames `(B, T, C, H, W)` and a generator of random numbers to past frames that might have been seen instead.
Perturb = Callable[[Tensor, Generator], Tensor]


class Ensemble(nn.Module):
    """Several forecasts of the same future: `ensemble(past, horizon)` is `(B, E, horizon, C, H, W)`.

    Args:
        models: A forecaster, or several, such as checkpoints of one run or runs of other seeds. They must agree in
            channels, in the size and the number of past frames that they are bound to, and in `data_spec`. One that
            says `None` to any of these goes with the others: a model without a `data_spec`, such as a converted one,
            is taken to be in their units.
        members: E; by default one for each model. Member i is a forecast of model i modulo their number.
        perturb: Changes the past frames of every member at random, such as `SmoothNoise(0.02)`, or your own.
        seed: Of the random numbers. Member i always draws the same ones, and the same for every sequence, so that a
            forecast does not depend on what else is in its batch.
        mean: Return the mean of the members, `(B, horizon, C, H, W)`: a forecaster like any other.

    Shapes:
        past: `(B, T, C, H, W)`.
        returns: `(B, E, horizon, C, H, W)`, or without E if `mean`.

    Attributes:
        in_channels: What all models that say one have in common, as are the others; `None` if none says one.
        out_channels: See `Forecaster`.
        image_size: See `Forecaster`.
        in_frames: Past frames that direct models among them are made for.
        data_spec: See `stblocks.data.DataSpec`.

    Raises:
        ValueError: If there is no model, models differ in what they must agree in, there are fewer members than models,
            members would be equal to each other, or the seed is no integer.

    Example:
        >>> ensemble = Ensemble([first, second], 20, perturb=SmoothNoise(0.02))
        >>> evaluate(ensemble, data)["model"].pooled["crps@pixel"]
    """

    def __init__(
        self,
        models: nn.Module | Sequence[nn.Module],
        members: int | None = None,
        *,
        perturb: Perturb | None = None,
        seed: int = 0,
        mean: bool = False,
    ) -> None:
        super().__init__()
        self.models = nn.ModuleList([models] if isinstance(models, nn.Module) else models)
        if not len(self.models):
            raise ValueError("models must hold at least one forecaster, got none.")
        self.members = len(self.models) if members is None else members
        check_positive(members=self.members)
        if self.members < len(self.models):
            raise ValueError(f"members must be at least {len(self.models)}, one for each model, got {members}.")
        if self.members > len(self.models) and perturb is None:
            raise ValueError(
                f"members={members} of {len(self.models)} model(s) would be equal to each other; give perturb, such as "
                f"SmoothNoise(0.02), or more models."
            )
        check_integer("seed", seed)
        self.perturb, self.seed, self.mean = perturb, int(seed), mean
        self.whole_map = perturb is not None  # tiles would all be perturbed alike
        self.in_channels = self._shared("in_channels")
        self.out_channels = self._shared("out_channels")
        self.image_size = self._shared("image_size")
        self.in_frames = self._shared("in_frames")
        self.data_spec = self._shared("data_spec")

    def forward(self, past: Tensor, horizon: int) -> Tensor:
        """Forecast.

        Args:
            past: Observed frames `(B, T, C, H, W)`.
            horizon: How many frames to forecast.

        Returns:
            `(B, E, horizon, C, H, W)`, or their mean over E if the ensemble was made with `mean=True`.

        Raises:
            ValueError: What the models raise; if `perturb` returns another shape.
        """
        forecasts = []
        for member in range(self.members):
            seen = past if self.perturb is None else self.perturb(past, self._generator(member, past))
            if seen.shape != past.shape:
                raise ValueError(
                    f"perturb must return frames of the shape that it gets, {tuple(past.shape)}, "
                    f"got {tuple(seen.shape)}."
                )
            forecasts.append(self.models[member % len(self.models)](seen, horizon))
        frames = torch.stack(forecasts, dim=1)
        return frames.mean(dim=1) if self.mean else frames

    def _generator(self, member: int, past: Tensor) -> Generator:
        return torch.Generator(past.device).manual_seed((self.seed * 1_000_003 + member) % 2**64)

    def _shared(self, name: str) -> object:
        """What all models have in common that say anything."""
        said = [value for model in self.models if (value := getattr(model, name, None)) is not None]
        if any(_without_none(value) != _without_none(said[0]) for value in said):
            raise ValueError(f"models must have one {name}, got {', '.join(map(repr, said))}.")
        return said[0] if said else None


def _without_none(value: object) -> object:
    """Of a dict what is not `None`, which a model saved by an earlier version may not say; anything else as it is."""
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


class SmoothNoise:
    r"""Adds a smooth random field to past frames, the same one to all of them: what was seen might be off by that.

    The field is white noise under a Gaussian window, of mean 0 and standard deviation `deviation` in every cell. What
    is 0, such as dry ground in model units of radar, stays 0, and what is above does not fall below it.

    Args:
        deviation: In model units.
        length: Standard deviation of the window, in cells.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(self, deviation: float, length: float = 4.0) -> None:
        for name, number in {"deviation": deviation, "length": length}.items():
            if not number > 0:
                raise ValueError(f"{name} must be above 0, got {number}.")
        self.deviation, self.length = deviation, length

    def __call__(self, past: Tensor, generator: Generator) -> Tensor:
        """See `Perturb`."""
        channels, height, width = past.shape[2:]
        radius = ceil(3 * self.length)
        place = torch.arange(-radius, radius + 1, device=past.device, dtype=past.dtype)
        kernel = torch.exp(-((place / self.length) ** 2) / 2)
        kernel = kernel / kernel.square().sum().sqrt()  # so that the sum of weighted noise has variance 1
        field = torch.randn(
            (channels, 1, height + 2 * radius, width + 2 * radius),
            generator=generator,
            device=past.device,
            dtype=past.dtype,
        )
        field = functional.conv2d(functional.conv2d(field, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
        moved = past + self.deviation * field.squeeze(1)
        return torch.where(past > 0, moved.clamp_min(0), torch.where(past < 0, moved, past))

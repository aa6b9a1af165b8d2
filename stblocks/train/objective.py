"""What training minimises."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..core import Rollout
from .terms import Term, ThresholdWeights

Terms = Mapping[str, tuple[float, Term]]

#: The name of the loss of intermediate forecasts, and what it is made with where nothing is said.
INTERMEDIATE, DECAY = "intermediate", 0.8


class Objective(nn.Module):
    r"""Weighted L1 and L2 of a rollout against the true frames, plus its auxiliary losses and other terms.

    $$L = E(\hat x) + \sum_{i=1}^{n-1} \gamma^{n-i} E(\hat x^i) + \sum_a \lambda_a L_a$$
    $$E(\hat x) = \lambda_1 \frac{1}{N} \sum w |\hat x - x| + \lambda_2 \frac{1}{N} \sum w (\hat x - x)^2
    + \sum_k \lambda_k L_k + \lambda_D D$$

    $\hat x^i$ are the intermediate forecasts of a model that has any, such as DMVFN, which $\hat x$ is the n-th of.

    Sums and the count $N$ go over the cells whose truth is known: NaN marks a missing cell, whose forecast has no
    effect on the loss and gets no gradient. Where every cell is missing, both errors are 0. All frames that the rollout
    forecasts count, those of observed time included, as in the released code of the recurrent papers, but for the
    first `skip`.

    Args:
        l1: Weight of the mean absolute error.
        l2: Weight of the mean squared error.
        aux: Weights of auxiliary losses by name, such as `{"decoupling": 0.05}`; 1 for one that is not named.
        divergence: Weight of the differential divergence, which TAU is trained with (0.1 there): how differently
            forecast and truth change from frame to frame, see
            `differential_divergence`. Missing cells are 0 in both.
        terms: Further terms by name, each with its weight: `{"csi": (0.005, SoftCSI((20, 30), scaler=scaler))}`.
        cell_weights: $w$, what each cell weighs in L1 and L2; 1 unless given. $N$ stays the count of cells.
        skip: Forecasts at the start of a rollout that do not count, in no part of the loss but the auxiliary ones. With
            1, a recurrent model need not say what comes after a single frame; CMS-LSTM is trained so.
        intermediate_decay: $\gamma$ in [0, 1], by which an intermediate forecast counts less than the one made of it.
            `None` is 0.8, as DMVFN (CVPR 2023, Sec. 3.3) has it; a number is for models with such forecasts alone.

    Shapes:
        rollout: A `Rollout` whose frames are `(B, N, C, H, W)`.
        frames: The true frames, past and future, `(B, T + horizon, C, H, W)`, NaN where a cell is missing.
        returns: Scalars by name: the loss under `"loss"`, and its parts without their weights.

    Raises:
        ValueError: If a weight or `skip` is negative, `intermediate_decay` is not in [0, 1], `l1` and `l2` are both 0
            and there is no other term, or a term has the name of another loss; when called, if `aux` names a loss that
            the rollout does not have, a term one that it has, the frames do not fit the rollout, it has no more than
            `skip`, or it has no intermediate forecasts and `intermediate_decay` is given.
    """

    def __init__(
        self,
        l1: float = 1.0,
        l2: float = 1.0,
        aux: Mapping[str, float] | None = None,
        divergence: float = 0.0,
        terms: Terms | None = None,
        cell_weights: ThresholdWeights | None = None,
        skip: int = 0,
        intermediate_decay: float | None = None,
    ) -> None:
        super().__init__()
        self.l1, self.l2, self.aux, self.divergence = l1, l2, dict(aux or {}), divergence
        self.terms = nn.ModuleDict({name: term for name, (_, term) in (terms or {}).items()})
        self.cell_weights = cell_weights
        self.skip, self.intermediate_decay = skip, intermediate_decay
        if intermediate_decay is not None and not 0 <= intermediate_decay <= 1:
            raise ValueError(f"intermediate_decay must be in [0, 1], or None for {DECAY}, got {intermediate_decay!r}.")
        if type(skip) is not int or skip < 0:
            raise ValueError(f"skip must be an integer >= 0, the forecasts that do not count, got {skip!r}.")
        own = {"l1": l1, "l2": l2, "divergence": divergence, **self.aux}
        self.weights = own | {name: weight for name, (weight, _) in (terms or {}).items()}
        if taken := {"loss", INTERMEDIATE, *own} & {*self.terms}:
            raise ValueError(f"terms must have names of their own, got {sorted(taken)}, which are other losses.")
        for name, weight in self.weights.items():
            if not weight >= 0:
                raise ValueError(f"{name} must be a weight of at least 0, got {weight}.")
        if l1 == l2 == 0 and not self.terms:
            raise ValueError("l1 and l2 must not both be 0: nothing would compare forecast and truth.")

    def forward(self, rollout: Rollout, frames: Tensor) -> dict[str, Tensor]:
        """The loss and its parts, without their weights.

        Args:
            rollout: What the model made of the sequence.
            frames: The true frames `cat([past, future], dim=1)`, `(B, T + horizon, C, H, W)`, NaN where missing.

        Returns:
            Scalars `"loss"`, `"l1"`, `"l2"`, each auxiliary loss and each term under its name, `"divergence"` if it has
            a weight, and `"intermediate"`, the decayed sum over intermediate forecasts, if there are any.
        """
        target = frames[:, rollout.first :]
        if target.shape != rollout.frames.shape:
            raise ValueError(
                f"frames must be cat([past, future]) of shape {_expected(rollout)} for this rollout, "
                f"got {tuple(frames.shape)}; pass as many future frames as the horizon."
            )
        if unknown := self.aux.keys() - rollout.aux.keys():
            raise ValueError(
                f"aux must name auxiliary losses of the model, which are {sorted(rollout.aux)}, got {sorted(unknown)}."
            )
        if taken := rollout.aux.keys() & self.terms.keys():
            raise ValueError(f"terms must have names of their own, got {sorted(taken)}, losses of the model.")
        if self.skip >= target.shape[1]:
            raise ValueError(
                f"skip must be below {target.shape[1]}, the frames that the rollout forecasts, got {self.skip}."
            )
        if self.intermediate_decay is not None and not rollout.intermediate:
            raise ValueError(
                f"intermediate_decay must be None for a rollout without intermediate forecasts, got "
                f"{self.intermediate_decay}; models that refine their forecast in steps make them, in training mode."
            )
        target = target[:, self.skip :]
        losses = self._errors(rollout.frames, target) | {name: value.mean() for name, value in rollout.aux.items()}
        if rollout.intermediate:
            decay = DECAY if self.intermediate_decay is None else self.intermediate_decay
            steps = enumerate(reversed(rollout.intermediate), start=1)
            sums = [decay**step * self._weighted(self._errors(frames, target)) for step, frames in steps]
            losses[INTERMEDIATE] = torch.stack(sums).sum()
        return {"loss": self._weighted(losses), **losses}

    def _errors(self, frames: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What compares forecast frames, the skipped ones among them, with the true ones that count."""
        missing = target.isnan()
        # Half precision would round small divergences away, and sums.
        forecast = frames[:, self.skip :].to(target.dtype).masked_fill(missing, 0)
        truth = target.masked_fill(missing, 0)
        error = forecast - truth
        weight = 1.0 if self.cell_weights is None else self.cell_weights(truth)
        count = (~missing).sum().clamp_min(1)
        losses = {"l1": (weight * error.abs()).sum() / count, "l2": (weight * error.square()).sum() / count}
        losses |= {name: term(forecast, truth, ~missing) for name, term in self.terms.items()}
        if self.divergence:
            losses["divergence"] = differential_divergence(forecast, truth)
        return losses

    def _weighted(self, losses: dict[str, Tensor]) -> Tensor:
        return torch.stack([self.weights.get(name, 1.0) * value for name, value in losses.items()]).sum()


def _expected(rollout: Rollout) -> tuple[int, ...]:
    batch, length, *shape = rollout.frames.shape
    return (batch, rollout.first + length, *shape)


def differential_divergence(frames: Tensor, truth: Tensor, temperature: float = 0.1, eps: float = 1e-12) -> Tensor:
    r"""How differently forecast and truth change from frame to frame.

    $$D = \mathrm{KL}(p(\Delta \hat Y) \,\|\, p(\Delta Y)) \qquad p(\Delta) = \mathrm{softmax}(\Delta / \tau)$$

    the softmax over all channels and positions of a difference, the divergence averaged over them, over frames and over
    samples. As in Tan et al., CVPR 2023, and as released.

    Args:
        frames: Forecast `(B, T, C, H, W)`.
        truth: The same of the true frames.
        temperature: $\tau$.
        eps: Added to probabilities, whose logarithm is taken.

    Returns:
        A scalar; 0 for fewer than three frames.

    Raises:
        ValueError: If the shapes differ.
    """
    if frames.ndim != 5 or frames.shape != truth.shape:
        raise ValueError(
            f"frames and truth must be (B, T, C, H, W) of one shape, got {tuple(frames.shape)} and "
            f"{tuple(truth.shape)}."
        )
    if frames.shape[1] <= 2:
        return frames.new_zeros(())
    ours, theirs = (torch.softmax(values.diff(dim=1).flatten(2) / temperature, dim=-1) for values in (frames, truth))
    return (ours * torch.log(ours / (theirs + eps) + eps)).mean()


class Losses(nn.Module):
    """A forecaster and its objective; what is prepared for devices, so that gradients are synchronised on `forward`.

    Args:
        model: A forecaster.
        objective: From a `Rollout` and the true frames to a dict of scalars, `"loss"` among them.
    """

    def __init__(self, model: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, past: Tensor, future: Tensor, teacher_mask: Tensor | None = None) -> dict[str, Tensor]:
        """The losses of a batch.

        Args:
            past: `(B, T, C, H, W)`.
            future: `(B, horizon, C', H, W)`, the first channels of the frames, NaN where it is missing.
            teacher_mask: `(B, T + horizon - 1)`, see `Forecaster.rollout`; a future frame with missing cells is not
                fed all the same. On the CPU it is read, which waits for the device where frames have missing cells;
                on the frames' device it never is.
        """
        truth = torch.cat([past[:, :, : future.shape[2]], future], dim=1)
        # A method, not `forward`; what wraps this module to synchronise gradients has none to be called by mistake.
        rollout: Callable[..., Rollout] = self.model.rollout  # type: ignore[assignment]
        if teacher_mask is None:
            return self.objective(rollout(past, future.shape[1]), truth)
        missing = future[:, :-1].isnan().flatten(2).any(dim=2).to(teacher_mask.device)
        mask = teacher_mask & ~nn.functional.pad(missing, (past.shape[1], 0))
        return self.objective(rollout(past, future.shape[1], future, mask), truth)

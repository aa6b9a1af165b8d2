"""Model and objective as one module."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..core import Rollout


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

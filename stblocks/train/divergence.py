"""The loss that TAU is trained with."""

import torch
from torch import Tensor


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

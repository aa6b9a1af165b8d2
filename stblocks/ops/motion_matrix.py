"""Motion matrices: how alike every position of a frame is to every position of the next."""

import torch
from torch import Tensor
from torch.nn import functional

#: Added to what is divided by.
EPS = 1e-6


def motion_matrices(features: Tensor) -> Tensor:
    """The cosine of every position of a frame (rows) and every position of the next one (columns).

    Zhong et al., MMVP, ICCV 2023, Sec. 3.2.

    Args:
        features: `(B, T, C, H, W)`.

    Returns:
        `(B, T - 1, H W, H W)`.
    """
    tokens = features.flatten(3)
    tokens = tokens / (tokens.norm(dim=2, keepdim=True) + EPS)
    return tokens[:, :-1].mT @ tokens[:, 1:]


def as_weights(matrices: Tensor, over: str = "matrix") -> Tensor:
    """Matrices as weights of what goes from where to where.

    Args:
        matrices: `(B, T, H W, H W)`.
        over: Whether the weights of a whole `"matrix"` sum to 1, or those of what comes to a position, a `"column"`.
    """
    if over == "column":
        return torch.softmax(matrices, dim=-2)
    return torch.softmax(matrices.flatten(2), dim=-1).view_as(matrices)


def resized_matrices(matrices: Tensor, size: tuple[int, int], to: tuple[int, int]) -> Tensor:
    """Matrices between the positions of another grid: bilinear where positions come to, bicubic where they come from.

    Args:
        matrices: `(B, T, H W, H W)`.
        size: `(H, W)`.
        to: The other `(H', W')`.

    Returns:
        `(B, T, H' W', H' W')`.
    """
    columns = matrices.flatten(0, 1).unflatten(2, size)
    rows = functional.interpolate(columns, to, mode="bilinear").flatten(2).mT.unflatten(2, size)
    return functional.interpolate(rows, to, mode="bicubic").flatten(2).mT.unflatten(0, (-1, matrices.shape[1]))


def composed(features: Tensor, past: Tensor, future: Tensor) -> Tensor:
    r"""Features of future frames: those of all past ones, moved along the matrices between them.

    $$\hat F_k = \frac{\sum_t F_t \, M_t M_{t+1} \cdots M_{T-1} \hat M_k}{\sum_t 1 \, M_t M_{t+1} \cdots M_{T-1}
      \hat M_k}$$

    with one matrix $\hat M_k$ from the last past frame to future frame k. The sum is taken frame by frame, so that no
    product of matrices is made.

    Args:
        features: $F$, `(B, T, C, H, W)`.
        past: $M$, `(B, T - 1, H W, H W)`.
        future: $\hat M$, `(B, K, H W, H W)`.

    Returns:
        `(B, K, C, H, W)`.
    """
    tokens = functional.pad(features.flatten(3), (0, 0, 0, 1), value=1.0)  # a channel of ones carries the weights
    moved = tokens[:, 0]
    for t in range(past.shape[1]):
        moved = moved @ past[:, t] + tokens[:, t + 1]
    arrived = moved.unsqueeze(1) @ future
    return (arrived[:, :, :-1] / (arrived[:, :, -1:] + EPS)).unflatten(3, features.shape[3:])

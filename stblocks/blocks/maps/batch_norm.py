"""Batch norm that says what it cannot do."""

from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, with an error that names the way out where there is a single value to take statistics over.

    Shapes:
        x: `(B, channels, H, W)`; in training `B * H * W` must be at least 2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.

        Raises:
            ValueError: In training, if a channel of `x` is one value.
        """
        if self.training and x.numel() == x.shape[1]:
            raise ValueError(
                f"x must have more than one value per channel for batch norm to be trained, got {tuple(x.shape)}: "
                f"take a larger batch or larger frames, or call eval()."
            )
        return super().forward(x)

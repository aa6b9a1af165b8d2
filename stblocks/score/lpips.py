"""LPIPS: how far two pictures are apart to a network that has learned to see."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..borders.reading import reading
from ..weights.state import compare_shapes

#: The environment variable that names the folder with the weights.
FOLDER = "STBLOCKS_LPIPS"
#: Frames that go through the network together, which bounds the memory of its maps.
TOGETHER = 32
#: Mean and deviation of the three colours, from 0 to 1, in the pictures that the networks were trained on (ImageNet).
COLOURS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Network(NamedTuple):
    """A network of torchvision, and where it is looked into."""

    model: str  #: its name in `torchvision.models`
    file: str  #: pattern of the name that torchvision gives its weights
    heads: str  #: file of the linear heads
    layers: tuple[int, ...]  #: of `features`, whose outputs are compared: the last ReLU before each change of channels
    channels: tuple[int, ...]  #: of these outputs
    least: int  #: side of the smallest frame of which every layer leaves something


NETWORKS = {
    "alex": Network("alexnet", "alexnet-*.pth", "alex.pth", (1, 4, 7, 9, 11), (64, 192, 384, 256, 256), 31),
    "vgg": Network("vgg16", "vgg16-*.pth", "vgg.pth", (3, 8, 15, 22, 29), (64, 128, 256, 512, 512), 16),
}


class Perceptual(nn.Module):
    r"""The distance of pictures (Zhang et al., CVPR 2018, https://arxiv.org/abs/1801.03924, eq. 1).

    $$d(x, y) = \sum_l \frac{1}{H_l W_l} \sum_{h, w} \lVert w_l \odot (\hat x^l_{hw} - \hat y^l_{hw}) \rVert^2$$

    with $\hat x^l$ the features of layer l, of unit length over channels. As in version 0.1 of the released code, the
    heads hold $w_l^2$. That code maps [0, 1] to [-1, 1], then shifts and scales so that it comes to ImageNet's mean and
    deviation, which is done here at once.

    Args:
        network: One of `NETWORKS`.

    Shapes:
        x, y: `(N, 3, H, W)` from 0 to 1, to `(N,)`.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        import torchvision  # slow to import

        own = NETWORKS[network]
        self.layers = own.layers
        self.features: nn.Sequential = getattr(torchvision.models, own.model)().features[: own.layers[-1] + 1]
        self.heads = nn.ModuleList(nn.Conv2d(channels, 1, 1, bias=False) for channels in own.channels)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """See above."""
        total = x.new_zeros(len(x))
        for head, one, other in zip(self.heads, self._looks(x), self._looks(y), strict=True):
            apart = normalize(one, dim=1, eps=1e-10) - normalize(other, dim=1, eps=1e-10)
            total = total + head(apart.square()).mean(dim=(1, 2, 3))
        return total

    def _looks(self, x: Tensor) -> Iterator[Tensor]:
        mean, deviation = (x.new_tensor(each).view(3, 1, 1) for each in COLOURS)
        x = (x - mean) / deviation
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.layers:
                yield x


@torch.no_grad()
def lpips_distances(prediction: Tensor, target: Tensor, *, network: str) -> Tensor:
    """LPIPS of each frame, in single precision: `(B, T)`, NaN where a cell of the true frame is missing.

    Args:
        prediction: `(B, T, C, H, W)` from 0 to 1, of 3 colours, or of 1, which is taken three times.
        target: The same, NaN where missing.
        network: One of `NETWORKS`.

    Raises:
        ValueError: If frames have other channels or are too small for the network, or its weights are not given.
    """
    channels, *size = target.shape[2:]
    least = NETWORKS[network].least
    if channels not in (1, 3):
        raise ValueError(f"lpips@{network} needs frames of 1 or 3 channels, got {channels}; leave it out of metrics=.")
    if min(size) < least:
        raise ValueError(
            f"lpips@{network} needs frames of at least {least} x {least} pixels, got {tuple(size)}; "
            f"leave it out of metrics=."
        )
    distance = lpips_network(network).to(target.device)
    missing = target.isnan()
    x, y = (
        frames.float().flatten(0, 1).expand(-1, 3, -1, -1).split(TOGETHER)
        for frames in (prediction, target.masked_fill(missing, 0))
    )
    distances = torch.cat([distance(*pair) for pair in zip(x, y, strict=True)]).view(target.shape[:2])
    return distances.double().masked_fill(missing.flatten(2).any(dim=2), torch.nan)


def lpips_network(network: str) -> nn.Module:
    """The network with the weights in the folder that `STBLOCKS_LPIPS` names. Nothing is ever downloaded.

    Raises:
        ValueError: If there is no such folder, or it lacks a file, or a file does not hold these weights.
    """
    own = NETWORKS[network]
    if not (folder := os.environ.get(FOLDER)):
        raise ValueError(
            f"lpips@{network} needs weights: set the environment variable {FOLDER} to a folder with torchvision's "
            f"{own.file} and the released heads {own.heads}; the page on metrics says where they are from."
        )
    return _read_network(network, folder)


@cache
def _read_network(network: str, folder: str) -> nn.Module:
    own = NETWORKS[network]
    with torch.device("meta"):
        made = Perceptual(network)
    for part, pattern, prefix in ((made.features, own.file, "features."), (made.heads, own.heads, "lin")):
        path = _the_file(folder, pattern)
        held = {name.removeprefix(prefix): value for name, value in _tensors(path).items() if name.startswith(prefix)}
        given = {name.replace("model.1.", ""): value.float() for name, value in held.items()}
        part.load_state_dict(compare_shapes(part, given, str(path)), assign=True)
    return made.eval().requires_grad_(False)


def _the_file(folder: str, pattern: str) -> Path:
    found = sorted(Path(folder).glob(pattern))
    if len(found) != 1:
        have = ", ".join(path.name for path in found) or "none"
        raise ValueError(f"{FOLDER}={folder} must be a folder with one file {pattern}, got {have}.")
    return found[0]


def _tensors(path: Path) -> dict[str, Tensor]:
    with reading(path, "weights that torch.save has written"):
        held = torch.load(path, map_location="cpu", weights_only=True)
        return {name: value for name, value in held.items() if isinstance(value, Tensor)}

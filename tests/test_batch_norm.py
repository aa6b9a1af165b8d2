"""Batch norm is torch's, and names the way out where it has nothing to take statistics over."""

import pytest
import torch
from torch import nn

from stblocks import GSTA, ConvMixerBlock, MogaBlock, UniFormerBlock, VANBlock
from stblocks.blocks.maps.batch_norm import BatchNorm


@pytest.mark.parametrize("block", [GSTA, ConvMixerBlock, MogaBlock, UniFormerBlock, VANBlock])
def test_a_single_value_per_channel_cannot_be_trained(block):
    module = block(8)
    if not any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
        pytest.fail(f"{block.__name__} has no batch norm: take it out of this test")
    message = r"x must have more than one value per channel .*, got \(1, 8, 1, 1\): take a larger batch or larger frame"
    with pytest.raises(ValueError, match=message):
        module(torch.rand(1, 8, 1, 1))
    module(torch.rand(2, 8, 1, 1))
    module(torch.rand(1, 8, 1, 2))
    module.eval()(torch.rand(1, 8, 1, 1))


def test_it_is_that_of_torch_else():
    ours, torchs = BatchNorm(3), nn.BatchNorm2d(3)
    x = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(ours(x), torchs(x))
    assert ours.state_dict().keys() == torchs.state_dict().keys()

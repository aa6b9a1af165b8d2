"""`model.fuse()`: the same forecasts from fewer layers."""

import pytest
import torch
from torch import nn

from stblocks import GSTA, TAU, Cell, RecurrentForecaster, RecurrentStack, STConvLSTM, VANBlock, create_model

SMALL = {"in_frames": 2, "out_frames": 2, "channels": 4, "translator_channels": 16, "num_layers": 3}


def trained(translator, **options):
    """A model whose norms have seen something, and whose weights are none at their start."""
    torch.manual_seed(0)
    model = create_model("simvpv2_s", translator=translator, **SMALL, **options).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    for _ in range(3):
        model.rollout(torch.rand(4, 2, 1, 8, 8).double(), 2)
    return model.eval()


@pytest.mark.parametrize("translator", ["gsta", "tau", "van"])
def test_it_forecasts_the_same_without_batch_norms(translator):
    model, past = trained(translator), torch.rand(2, 2, 1, 9, 7).double()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fused = model.fuse()
    torch.testing.assert_close(fused(past, 5), model(past, 5), rtol=1e-10, atol=1e-12)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("options", [{"plugs": ["gfm"]}, {"checkpointing": True}])
def test_blocks_inside_others_are_fused_too(options):
    model, past = trained("gsta", **options), torch.rand(1, 2, 1, 8, 8).double()
    torch.testing.assert_close(model.fuse()(past, 2), model(past, 2), rtol=1e-10, atol=1e-12)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.fuse().modules())


@pytest.mark.parametrize("block", [GSTA, TAU, VANBlock])
def test_stages_of_cells_are_fused(block):
    torch.manual_seed(0)
    stack = RecurrentStack([Cell(STConvLSTM(1, 8), block(8)), Cell(STConvLSTM(8, 8), block(8))])
    model = RecurrentForecaster(nn.Identity(), stack, nn.Conv2d(8, 1, 1)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    model.rollout(torch.rand(4, 2, 1, 6, 6).double(), 1)
    fused, past = model.eval().fuse(), torch.rand(2, 2, 1, 5, 4).double()
    torch.testing.assert_close(fused(past, 3), model(past, 3), rtol=1e-10, atol=1e-12)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())


def test_a_model_with_nothing_to_fold_stays_what_it_is():
    model, past = create_model("convlstm", channels=4, num_layers=1).eval(), torch.rand(1, 2, 1, 8, 8)
    torch.testing.assert_close(model.fuse()(past, 2), model(past, 2))


def test_a_fused_model_is_neither_trained_nor_saved(tmp_path):
    fused = trained("gsta").fuse()
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    with pytest.raises(ValueError, match=r"made by hand or is a copy of fuse\(\): .* or keep the model that was fused"):
        fused.save_pretrained(tmp_path)

"""Every golden file of a family that the library has runs here; one without an adapter fails.

Whole SimVP models with translators that have no golden file load weights under the released names.
"""

import pytest
import torch
from golden import FOLDERS, block_of, load
from golden_e3d_lstm import ADAPTERS as E3D_LSTM
from golden_mau import ADAPTERS as MAU
from golden_metrics import ADAPTERS as METRICS
from golden_mmvp import ADAPTERS as MMVP
from golden_phydnet import ADAPTERS as PHYDNET
from golden_recurrent import ADAPTERS as RECURRENT
from golden_simvp import ADAPTERS as SIMVP
from golden_vmrnn import ADAPTERS as VMRNN
from golden_wast import ADAPTERS as WAST

from stblocks.interop import from_official
from stblocks.interop.official import KINDS
from stblocks.weights.state import weights

ADAPTERS = RECURRENT | METRICS | SIMVP | VMRNN | PHYDNET | MAU | E3D_LSTM | WAST | MMVP
FILES = {path: block_of(path) for folder in FOLDERS for path in sorted(folder.glob("*.safetensors"))}


@pytest.mark.skipif(not FILES, reason=f"no golden vectors at {' or '.join(map(str, FOLDERS))}; set STBLOCKS_GOLDEN")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_agrees_with_the_released_code(path):
    assert FILES[path] in ADAPTERS, f"{path.name} is a case of {FILES[path]}, which has no adapter"
    ADAPTERS[FILES[path]](load(path))


#: `model_type` there, our translator, and a parameter of its second block, as the release names it.
RELEASED = [
    ("gSTA", "gsta", "attn.spatial_gating_unit.conv_spatial.weight"),
    ("TAU", "tau", "attn.spatial_gating_unit.fc.2.weight"),
    ("ViT", "vit", "attn.qkv.weight"),
    ("Swin", "swin_unmasked", "attn.relative_position_bias_table"),
    ("Poolformer", "poolformer", "layer_scale_1"),
    ("MLP", "mlpmixer", "mlp_tokens.fc1.weight"),
    ("MLPMixer", "mlpmixer", "mlp_channels.fc2.bias"),
    ("ConvMixer", "convmixer", "conv_dw.weight"),
    ("ConvNeXt", "convnext", "conv_dw.weight"),
    ("VAN", "van", "attn.spatial_gating_unit.conv0.weight"),
    ("HorNet", "hornet", "gnconv.proj_in.weight"),
    ("Moga", "moga", "attn.value.PW_conv.weight"),
    ("MogaNet", "moga", "mlp.decompose.weight"),
    ("Uniformer", "uniformer", "attn.qkv.weight"),
]


@pytest.mark.parametrize(("model_type", "translator", "parameter"), RELEASED, ids=[row[0] for row in RELEASED])
def test_whole_models_of_every_translator_load_released_names(model_type, translator, parameter):
    config = {"in_shape": [2, 1, 16, 16], "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 3, "model_type": model_type}
    torch.manual_seed(0)
    plan = KINDS["simvp/model"](config)
    source = plan.module.eval()
    for value in source.state_dict().values():  # of the tensors themselves, all unlike
        value.copy_(torch.rand(value.shape) / 4 + 0.1)
    released = {plan.names[name]: value for name, value in weights(source).items()}
    torch.manual_seed(1)
    model, past = from_official("simvp/model", config, released).eval(), torch.rand(1, 2, 1, 16, 16)
    assert model.config["translator"] == translator
    assert model(past, 2).isfinite().all()
    assert model(past, 2).equal(source(past, 2))
    name = f"hid.enc.1.block.{parameter}"
    del released[name]
    with pytest.raises(ValueError, match=f"state_dict must hold {name}"):
        from_official("simvp/model", config, released)

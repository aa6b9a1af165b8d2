"""Released attention in windows beyond the golden files, against it written anew."""

import pytest
import torch
from einops import rearrange
from released import close, randomise, released

from stblocks import SwinLSTM
from stblocks.interop import KINDS, from_official


def mixed_as_released(block, tokens, normed, window, shift):
    """Attention in windows of the rolled map, whoever meets there; then the MLP. All `(B, H, W, C)`."""
    windows = rearrange(normed.roll((-shift, -shift), (1, 2)), "b (i y) (j x) c -> (b i j) (y x) c", y=window, x=window)
    back = {"i": tokens.shape[1] // window, "j": tokens.shape[2] // window, "y": window}
    attended = rearrange(block.attention(windows), "(b i j) (y x) c -> b (i y) (j x) c", **back)
    tokens = tokens + attended.roll((shift, shift), (1, 2))
    return tokens + block.mlp(block.norm2(tokens))


def as_released(block, maps, window, shift):
    """The same for maps `(B, C, H, W)`."""
    tokens = maps.movedim(1, -1)
    return mixed_as_released(block, tokens, block.norm1(tokens), window, shift).movedim(-1, 1)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((8, 8), 4),
        ((4, 8), 4),
        ((7, 14), 7),
        ((14, 7), 7),
        ((14, 21), 7),
        ((6, 3), 3),
        ((8, 28), 4),
        ((80, 10), 5),
        ((160, 16), 8),
    ],
)
def test_windows_of_the_released_swin_translator(size, window, layer):
    """By a rule on the height, and shifted in odd layers unless a window covers a side of the map."""
    torch.manual_seed(0)
    config = {"in_channels": 8, "out_channels": 8, "input_resolution": size, "model_type": "swin", "layer_i": layer}
    plan = KINDS["simvp/metablock"](config | {"mlp_ratio": 2.0})
    block = randomise(plan.module)[0]
    assert block.attention.relative_position_bias_table.shape[0] == (2 * window - 1) ** 2
    shift = window // 2 if layer and min(size) > window else 0
    maps = torch.randn(1, 8, *size, dtype=torch.float64)
    close(block(maps), as_released(block, maps, window, shift))


def test_a_released_swin_model_is_saved_with_its_windows(tmp_path):
    config = {"in_shape": [2, 1, 28, 56], "hid_S": 4, "hid_T": 16, "N_S": 4, "N_T": 3, "model_type": "swin"}
    config |= {"spatio_kernel_enc": 3, "spatio_kernel_dec": 5, "mlp_ratio": 2.0}
    plan = KINDS["simvp/model"](config)
    randomise(plan.module)
    official = released(plan)
    model = from_official("simvp/model", config, official).eval()
    assert official["hid.enc.1.block.attn.relative_position_bias_table"].shape[0] == 13**2
    assert {"window_size": 7, "kernel_size": 3, "decoder_kernel_size": 5}.items() <= model.config.items()
    assert not any(block.shift for block in model.translator.blocks)  # a window covers the map's height
    model.float().save_pretrained(tmp_path)
    past = torch.rand(1, 2, 1, 28, 56)
    assert torch.equal(type(model).from_pretrained(tmp_path)(past, 2), model(past, 2))


def test_an_odd_number_of_layers_around_a_released_swin_translator():
    """The released windows are chosen for a smaller map than they see, and not shifted if they cover that one."""
    config = {"hid_S": 4, "hid_T": 8, "N_S": 3, "N_T": 3, "model_type": "swin", "mlp_ratio": 2.0}
    for size, layers in ((8, 3), (12, 3), (20, 5)):
        with pytest.raises(ValueError, match=rf"N_S must be even for model_type='swin' .*, got {layers}: .*"):
            from_official("simvp/model", config | {"in_shape": [2, 1, size, size], "N_S": layers}, {})
    for changed in ({"in_shape": [2, 1, 8, 8], "N_S": 2}, {"in_shape": [2, 1, 8, 8], "N_T": 1}):
        KINDS["simvp/model"](config | changed)
    model = KINDS["simvp/model"](config | {"in_shape": [2, 1, 40, 40]}).module
    assert [block.shift for block in model.translator.blocks] == [False, True, False]


def test_windows_of_swin_lstm_larger_than_the_map():
    """The released ones shrink to the map, and with them their tables."""
    torch.manual_seed(0)
    settings = {"in_shape": [2, 1, 8, 8], "patch_size": 2, "embed_dim": 4, "window_size": 4}
    config = {"configs": settings, "num_heads": [2, 2], "depths_downsample": [1, 2], "depths_upsample": [2, 1]}
    plan = KINDS["swinlstm/model_d"](config)
    randomise(plan.module)
    official = released(plan)
    small = [
        f"{way}.layers.1.STBs.{block}."
        for way, blocks in (("Downsample", 2), ("Upsample", 1))
        for block in range(blocks)
    ]
    table = "attn.relative_position_bias_table"
    for prefix in small:
        official[prefix + table] = torch.randn(9, 2, dtype=torch.float64)
    model = from_official("swinlstm/model_d", config, official).eval()
    cell = model.stack.layers[2].stages[0]
    alone = SwinLSTM(8, depth=2, num_heads=2, window_size=2).double()
    alone.load_state_dict(
        {
            name: official[small[int(name.split(".")[1])] + table] if table[5:] in name else value
            for name, value in cell.state_dict().items()
        }
    )
    maps = torch.rand(1, 8, 2, 2, dtype=torch.float64)
    close(cell(maps)[0], alone(maps)[0])
    official[small[0] + table] = torch.zeros(81, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"relative_position_bias_table is \(81, 2\), not \(49, 2\)"):
        from_official("swinlstm/model_d", config, official)
    del official[small[0] + table]
    with pytest.raises(
        ValueError, match=r"state_dict must hold Downsample\.layers\.1\.STBs\.0\.attn\.relative_position"
    ):
        from_official("swinlstm/model_d", config, official)


@pytest.mark.parametrize("size", [(4, 8), (8, 4), (3, 6), (4, 4)])
def test_a_swin_lstm_is_not_shifted_where_a_window_covers_one_side(size):
    """Neither is the longer side there, and so there is no mask."""
    torch.manual_seed(0)
    config = {"dim": 8, "input_resolution": size, "window_size": 4, "depth": 3, "num_heads": 2, "mlp_ratio": 2.0}
    plan = KINDS["swinlstm/cell"](config)
    made = randomise(plan.module)
    cell = from_official("swinlstm/cell", config, released(plan))
    x, h, c = torch.randn(3, 2, 8, *size, dtype=torch.float64)
    y, (tokens, hidden) = x.movedim(1, -1), (each.movedim(1, -1) for each in (x, h))
    for index, block in enumerate(made.blocks):
        normed = block.norm1(y)
        if index % 2 == 0:
            other = block.norm1(tokens if index else hidden)
            normed = made.projections[index // 2](normed, other)
        y = mixed_as_released(block, y, normed, min(size), 0)
    y = y.movedim(-1, 1)
    memory = y.sigmoid() * (c + y.tanh())
    close(cell(x, h, c)[1], memory)
    close(cell(x, h, c)[0], y.sigmoid() * memory.tanh())

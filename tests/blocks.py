"""All blocks, with all their options, for the checks that every block must pass: list a new one here."""

from collections.abc import Callable
from functools import partial

from torch import nn

import stblocks as st

group = partial(nn.GroupNorm, 1)
adapter = partial(nn.Conv2d, 4, 4, 1, bias=False)

BLOCKS: dict[str, Callable[[], st.Block]] = {
    "convlstm": lambda: st.ConvLSTM(3, 4, kernel_size=3),
    "convlstm-options": lambda: st.ConvLSTM(
        3, 4, kernel_size=1, forget_bias=1.0, bias=True, norm=group, cell_norm=group
    ),
    "st_convlstm": lambda: st.STConvLSTM(3, 4, kernel_size=3),
    "st_convlstm-options": lambda: st.STConvLSTM(3, 4, kernel_size=1, forget_bias=0.0, bias=True, norm=group),
    "decoupled_st_convlstm": lambda: st.DecoupledSTConvLSTM(3, 4, kernel_size=3, adapter=adapter()),
    "gfm": lambda: st.GFM(3, 4),
    "gfm-pooled": lambda: st.GFM(3, 4, focus="pooled"),
    "gfm-norm": lambda: st.GFM(3, 4, norm=group),
    "simple_gfm": lambda: st.SimpleGFM(3, 4),
    "simple_gfm-norm": lambda: st.SimpleGFM(3, 4, kernel_size=3, norm=group),
    "sam": lambda: st.SAM(4, attention_channels=2),
    "sam-wide": lambda: st.SAM(4, attention_channels=6, scale=0.5),
    "motion_gru": lambda: st.MotionGRU(8, kernel_size=3),
    "motion_gru-options": lambda: st.MotionGRU(3, kernel_size=1, warp_kernel_size=1),
    "mgm": lambda: st.MGM(8, kernel_size=3),
    "mgm-head": lambda: st.MGM(5, kernel_size=3, growth="head"),
    "highway_entry": lambda: st.HighwayEntry(3, 4),
    "motion_highway": lambda: st.MotionHighway(),
    "ce": lambda: st.CE(3, 4, kernel_size=3),
    "ce-once": lambda: st.CE(3, 4, kernel_size=1, iterations=1, scale=1.0),
    "ce-norm": lambda: st.CE(3, 4, kernel_size=3, iterations=2, norm=group),
    "se": lambda: st.SE(4, kernel_size=3, scales=(1,)),
    "se-norm": lambda: st.SE(4, kernel_size=1, scales=(1, 2), norm=group),
    "causal_lstm": lambda: st.CausalLSTM(3, 4, kernel_size=3),
    "causal_lstm-norm": lambda: st.CausalLSTM(3, 4, kernel_size=1, forget_bias=0.0, norm=group),
    "conv_gru": lambda: st.ConvGRU(3, 4),
    "conv_gru-norm": lambda: st.ConvGRU(3, 4, kernel_size=1, norm=group),
    "traj_gru": lambda: st.TrajGRU(3, 4, links=5, flow_channels=3),
    "traj_gru-norm": lambda: st.TrajGRU(3, 4, kernel_size=1, links=1, flow_channels=2, flow_kernel_size=3, norm=group),
    "gradient_highway": lambda: st.GradientHighway(3, 4, kernel_size=3),
    "gradient_highway-norm": lambda: st.GradientHighway(3, 4, kernel_size=1, norm=group),
    "mimn": lambda: st.MIMN(3, 4, kernel_size=3),
    "upper_mimn": lambda: st.UpperMIMN(4, kernel_size=1, norm=group),
    "mim": lambda: st.MIM(3, 4, kernel_size=3),
    "mim-norm": lambda: st.MIM(3, 4, kernel_size=1, forget_bias=0.0, norm=group),
    "e3d_lstm": lambda: st.E3DLSTM(3, 4, kernel_size=3, recall=2),
    "e3d_lstm-released": lambda: st.E3DLSTM(
        4,
        4,
        first=False,
        kernel_size=1,
        recall=3,
        time_padding="stretch",
        tokens="runs",
        memory="dropped",
        output_gate="sigmoid_tanh",
        norm=group,
    ),
    "mau": lambda: st.MAU(4, kernel_size=3, tau=2),
    "mau-options": lambda: st.MAU(3, kernel_size=1, tau=3, residual=False, norm=group),
    "phycell": lambda: st.PhyCell(4, 4, kernel_size=3),
    "phycell-options": lambda: st.PhyCell(
        3, 4, kernel_size=3, filters=12, gain="sigmoid", norm=partial(nn.GroupNorm, 3)
    ),
    "phy_branch": lambda: st.PhyBranch(3, 4, kernel_size=3),
    "prediction_error": lambda: st.PredictionError(2, 3, level=1),
    "prediction_error-top": lambda: st.PredictionError(3, None, level=2),
    "representation": lambda: st.Representation(3, 4, level=1),
    "representation-top": lambda: st.Representation(4, 2, level=2, top=True, kernel_size=1),
    "reversible_pair": lambda: st.ReversiblePair(6, kernel_size=3),
    "reversible_pair-norm": lambda: st.ReversiblePair(4, kernel_size=1, forget_bias=0.0, norm=group),
    "expectation": lambda: st.Expectation(3, kernel_size=1),
    "expectation-above": lambda: st.Expectation(3, level=1),
    "gsta": lambda: st.GSTA(4, mlp_ratio=2.0),
    "gsta-options": lambda: st.GSTA(3, kernel_size=7, dilation=2, mlp_ratio=1.0, drop=0.1, drop_path=0.5),
    "tau": lambda: st.TAU(4, mlp_ratio=2.0),
    "tau-options": lambda: st.TAU(5, kernel_size=3, dilation=1, mlp_ratio=1.0, drop=0.1, drop_path=0.5),
    "from_input": lambda: st.FromInput(3),
    "map_cell": lambda: st.MapCell(4, st.GSTA(4, kernel_size=5, dilation=1, mlp_ratio=1.0), st.GFM(4, 4)),
    "map_cell-module": lambda: st.MapCell(3, st.CE(3, 3, kernel_size=3, iterations=2), nn.Conv2d(3, 3, 3, padding=1)),
    "rrdb": lambda: st.RRDB(5),
    "tf_aware": lambda: st.TFAwareBlock(4, large_kernel=7, mlp_ratio=2.0),
    "tf_aware-options": lambda: st.TFAwareBlock(3, large_kernel=3, small_kernel=1, mlp_ratio=1.0, drop_path=0.5),
    "vit": lambda: st.ViTBlock(4, num_heads=2, mlp_ratio=2.0),
    "swin": lambda: st.SwinBlock(4, num_heads=2, window_size=3, mlp_ratio=2.0),
    "swin-shifted": lambda: st.SwinBlock(4, num_heads=1, window_size=2, shift=True, mlp_ratio=1.0),
    "poolformer": lambda: st.PoolFormerBlock(4, mlp_ratio=2.0),
    "metaformer": lambda: st.MetaFormerBlock(4, nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1), norm=group),
    "metaformer-scale": lambda: st.MetaFormerBlock(
        4, nn.AvgPool2d(3, 1, 1), nn.Conv2d(4, 4, 1), norm=group, scale=0.5, drop_path=0.5
    ),
    "mlpmixer": lambda: st.MLPMixerBlock(4, size=(5, 3), mlp_ratio=2.0),
    "convmixer": lambda: st.ConvMixerBlock(4, kernel_size=3),
    "convnext": lambda: st.ConvNeXtBlock(4, mlp_ratio=2.0),
    "van": lambda: st.VANBlock(4, kernel_size=9, dilation=2, mlp_ratio=2.0),
    "hornet": lambda: st.HorNetBlock(8, mlp_ratio=1.0),
    "moga": lambda: st.MogaBlock(5, mlp_ratio=2.0),
    "uniformer": lambda: st.UniFormerBlock(4, mlp_ratio=2.0),
    "uniformer-global": lambda: st.UniFormerBlock(4, relation="global", num_heads=2, mlp_ratio=2.0),
    "ss2d": lambda: st.SS2D(4, state_dim=2),
    "ss2d-options": lambda: st.SS2D(
        3, state_dim=3, expand=1, kernel_size=1, dt_rank=2, directions=("columns_reversed", "rows")
    ),
    "ss2d-full": lambda: st.SS2D(3, state_dim=2, expand=1, convolution="full"),
    "ss2d-large": lambda: st.SS2D(3, state_dim=2, expand=1, convolution="large"),
    "vss": lambda: st.VSS(4, mixer=partial(st.SS2D, state_dim=2)),
    "vss-mixer": lambda: st.VSS(4, mixer=partial(nn.Conv2d, 4, kernel_size=3, padding=1), drop_path=0.5),
    "one_gate_lstm": lambda: st.OneGateLSTM(4, partial(st.GSTA, kernel_size=5, dilation=1, mlp_ratio=1.0)),
    "one_gate_lstm-several": lambda: st.OneGateLSTM(4, partial(st.VSS, mixer=partial(st.SS2D, state_dim=2)), st.TAU),
    "vmrnn": lambda: st.VMRNN(4, state_dim=2),
    "vmrnn-options": lambda: st.VMRNN(
        3, depth=1, state_dim=3, expand=1, kernel_size=1, dt_rank=2, directions=("rows_reversed",), drop_path=0.5
    ),
    "swin_lstm": lambda: st.SwinLSTM(4, depth=3, num_heads=2, window_size=2),
    "swin_lstm-options": lambda: st.SwinLSTM(4, depth=1, num_heads=1, mlp_ratio=2.0, drop_path=[0.5]),
}

#: Sizes of maps that weights are bound to; that of `testing.example`.
BOUND = {"mlpmixer": (5, 3)}

#: Exported classes that cannot be built, but are bases of others.
BASES = (st.MapBlock,)

#: Smallest side of a map, where it is not 1.
SMALLEST = {"se-norm": 2}

#: Endings of names whose gradient is zero: a key's bias adds one number to all scores of a softmax; a flag has none.
EXEMPT = ("key_h.bias", "key_m.bias", "input filled")

"""Blocks: one paper's idea a file."""

from .frames.autoencoder import ConvUnit, Decoder, Encoder
from .frames.dcgan import DCGANDecoder, DCGANEncoder, DCGANUnit
from .frames.patch import PatchEmbed, PatchExpanding, PatchInflate, PatchMerging
from .frames.two_way import Coupling, TwoWayDecoder, TwoWayEncoder
from .maps.convmixer import ConvMixerBlock
from .maps.gsta import GSTA
from .maps.hornet import HorNetBlock
from .maps.map_block import MapBlock
from .maps.metaformer import MetaFormerBlock
from .maps.moganet import MogaBlock
from .maps.rrdb import RRDB
from .maps.ss2d import SS2D
from .maps.swin import SwinBlock
from .maps.tau import TAU
from .maps.tf_aware import TFAwareBlock
from .maps.timm_blocks import ConvNeXtBlock, MLPMixerBlock, PoolFormerBlock, ViTBlock
from .maps.uniformer import UniFormerBlock
from .maps.van import VANBlock
from .maps.vss import VSS
from .plugs.ce import CE
from .plugs.gfm import GFM, SimpleGFM
from .plugs.highway import HighwayEntry, MotionHighway
from .plugs.mgm import MGM
from .plugs.motion_gru import MotionGRU
from .plugs.sam import SAM
from .plugs.se import SE
from .recurrent.causal_lstm import CausalLSTM
from .recurrent.conv_gru import ConvGRU
from .recurrent.convlstm import ConvLSTM
from .recurrent.e3d_lstm import E3DLSTM
from .recurrent.gradient_highway import GradientHighway
from .recurrent.mau import MAU
from .recurrent.mim import MIM, MIMN, UpperMIMN
from .recurrent.one_gate_lstm import OneGateLSTM
from .recurrent.phycell import PhyBranch, PhyCell
from .recurrent.prednet import Expectation, PredictionError, Representation
from .recurrent.reversible import ReversiblePair
from .recurrent.st_convlstm import DecoupledSTConvLSTM, STConvLSTM
from .recurrent.swin_lstm import SwinLSTM
from .recurrent.traj_gru import TrajGRU
from .recurrent.vmrnn import VMRNN
from .sequences.afno import AFNOBlock
from .sequences.conv3d import Conv3DBlock
from .sequences.dmvfn import DMVFN
from .sequences.mmvp import MMVP
from .sequences.predformer import PredFormer, PredFormerBlock
from .sequences.routing import RoutingModule
from .sequences.translator import SequenceTranslator
from .sequences.voxel_flow import VoxelFlowBlock
from .sequences.wast import WaST
from .translators.inception import Inception, InceptionUNet
from .translators.map_cell import FromInput, MapCell
from .translators.names import register_translator
from .translators.translator import LinearShortcut, RecurrentTranslator, Translator

__all__ = [
    "CE",
    "DMVFN",
    "E3DLSTM",
    "GFM",
    "GSTA",
    "MAU",
    "MGM",
    "MIM",
    "MIMN",
    "MMVP",
    "RRDB",
    "SAM",
    "SE",
    "SS2D",
    "TAU",
    "VMRNN",
    "VSS",
    "AFNOBlock",
    "CausalLSTM",
    "Conv3DBlock",
    "ConvGRU",
    "ConvLSTM",
    "ConvMixerBlock",
    "ConvNeXtBlock",
    "ConvUnit",
    "Coupling",
    "DCGANDecoder",
    "DCGANEncoder",
    "DCGANUnit",
    "Decoder",
    "DecoupledSTConvLSTM",
    "Encoder",
    "Expectation",
    "FromInput",
    "GradientHighway",
    "HighwayEntry",
    "HorNetBlock",
    "Inception",
    "InceptionUNet",
    "LinearShortcut",
    "MLPMixerBlock",
    "MapBlock",
    "MapCell",
    "MetaFormerBlock",
    "MogaBlock",
    "MotionGRU",
    "MotionHighway",
    "OneGateLSTM",
    "PatchEmbed",
    "PatchExpanding",
    "PatchInflate",
    "PatchMerging",
    "PhyBranch",
    "PhyCell",
    "PoolFormerBlock",
    "PredFormer",
    "PredFormerBlock",
    "PredictionError",
    "RecurrentTranslator",
    "Representation",
    "ReversiblePair",
    "RoutingModule",
    "STConvLSTM",
    "SequenceTranslator",
    "SimpleGFM",
    "SwinBlock",
    "SwinLSTM",
    "TFAwareBlock",
    "TrajGRU",
    "Translator",
    "TwoWayDecoder",
    "TwoWayEncoder",
    "UniFormerBlock",
    "UpperMIMN",
    "VANBlock",
    "ViTBlock",
    "VoxelFlowBlock",
    "WaST",
    "register_translator",
]

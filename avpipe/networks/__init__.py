"""Networks and their parts: pure maths on tensors; what a bundle may build."""

from avpipe.networks.arithmetic import Arithmetic, Layer, account, folded, layer_arithmetic
from avpipe.networks.cross_modal import CrossModalAttention
from avpipe.networks.denoiser import DenoisingNetwork
from avpipe.networks.ecapa import EcapaEncoder
from avpipe.networks.ensemble import Ensemble
from avpipe.networks.frames2d import FrameEncoder2d
from avpipe.networks.fusion import Concatenation, GatedFusion, Identity, LowRankFusion
from avpipe.networks.lenet5 import LeNet5
from avpipe.networks.levels import Stage, encoders_of, stages_of
from avpipe.networks.lips import LipEncoder
from avpipe.networks.masking import ignores_padding
from avpipe.networks.motion import MotionEncoder
from avpipe.networks.network import Network, Output, subsets
from avpipe.networks.pooling import AttentivePooling, MeanPooling, SegmentPooling, StatisticsPooling
from avpipe.networks.pretrained import PretrainedEncoder
from avpipe.networks.residual2d import ResidualEncoder2d
from avpipe.networks.residual3d import ResidualEncoder3d
from avpipe.networks.sequence import SequenceNetwork
from avpipe.networks.shift2d import ShiftEncoder2d
from avpipe.networks.shots import ShotEncoder
from avpipe.networks.stages import stages
from avpipe.networks.stft import Stft
from avpipe.networks.time_conv import TimeConv, TimeConvEncoder
from avpipe.networks.timm2d import TimmEncoder2d
from avpipe.networks.torchvision2d import TorchvisionEncoder2d
from avpipe.networks.torchvision3d import TorchvisionEncoder3d
from avpipe.networks.x3d import X3dEncoder

__all__ = [
    "Arithmetic",
    "AttentivePooling",
    "Concatenation",
    "CrossModalAttention",
    "DenoisingNetwork",
    "EcapaEncoder",
    "Ensemble",
    "FrameEncoder2d",
    "GatedFusion",
    "Identity",
    "Layer",
    "LeNet5",
    "LipEncoder",
    "LowRankFusion",
    "MeanPooling",
    "MotionEncoder",
    "Network",
    "Output",
    "PretrainedEncoder",
    "ResidualEncoder2d",
    "ResidualEncoder3d",
    "SegmentPooling",
    "SequenceNetwork",
    "ShiftEncoder2d",
    "ShotEncoder",
    "Stage",
    "StatisticsPooling",
    "Stft",
    "TimeConv",
    "TimeConvEncoder",
    "TimmEncoder2d",
    "TorchvisionEncoder2d",
    "TorchvisionEncoder3d",
    "X3dEncoder",
    "account",
    "encoders_of",
    "folded",
    "ignores_padding",
    "layer_arithmetic",
    "stages",
    "stages_of",
    "subsets",
]

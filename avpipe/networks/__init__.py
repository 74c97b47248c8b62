"""Networks and their parts: pure maths on tensors; what a bundle may build."""

from avpipe.networks.cross_modal import CrossModalAttention
from avpipe.networks.denoiser import DenoisingNetwork
from avpipe.networks.ecapa import EcapaEncoder
from avpipe.networks.ensemble import Ensemble
from avpipe.networks.frames2d import FrameEncoder2d
from avpipe.networks.fusion import Concatenation, GatedFusion, Identity, LowRankFusion
from avpipe.networks.network import Network, Output, subsets
from avpipe.networks.pooling import AttentivePooling, MeanPooling, SegmentPooling, StatisticsPooling
from avpipe.networks.residual2d import ResidualEncoder2d
from avpipe.networks.residual3d import ResidualEncoder3d
from avpipe.networks.sequence import SequenceNetwork
from avpipe.networks.shift2d import ShiftEncoder2d
from avpipe.networks.stft import Stft
from avpipe.networks.time_conv import TimeConvEncoder
from avpipe.networks.torchvision3d import TorchvisionEncoder3d
from avpipe.networks.x3d import X3dEncoder

__all__ = [
    "AttentivePooling",
    "Concatenation",
    "CrossModalAttention",
    "DenoisingNetwork",
    "EcapaEncoder",
    "Ensemble",
    "FrameEncoder2d",
    "GatedFusion",
    "Identity",
    "LowRankFusion",
    "MeanPooling",
    "Network",
    "Output",
    "ResidualEncoder2d",
    "ResidualEncoder3d",
    "SegmentPooling",
    "SequenceNetwork",
    "ShiftEncoder2d",
    "StatisticsPooling",
    "Stft",
    "TimeConvEncoder",
    "TorchvisionEncoder3d",
    "X3dEncoder",
    "subsets",
]

"""A head half-way up, which gives the lower layers a gradient of their own."""

from torch import Tensor, nn

from avpipe.networks.pictures import as_sequence
from avpipe.networks.pooling import MeanPooling


class AuxiliaryHead(nn.Module):
    """A classifier of maps inside an encoder, in training only.

    Args:
        channels: of the maps.
        num_outputs: of the network.

    Reference:
        C. Szegedy et al., "Going Deeper with Convolutions", 2014, arXiv:1409.4842 (1x1 convolution to 128 channels,
        1024 units, dropout of 0.7). Here the mean over the whole map stands in place of a grid of 4x4 means, since
        maps of spectrograms are as long as their windows and as low as a row; Inception v3's is alike here.
    """

    def __init__(self, channels: int, num_outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(channels, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU(inplace=True))
        self.pooling = MeanPooling(128)
        self.hidden = nn.Sequential(nn.Linear(128, 1024), nn.ReLU(inplace=True), nn.Dropout(0.7))
        self.head = nn.Linear(1024, num_outputs)

    def forward(self, maps: Tensor, features: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            maps: (N, channels, height, width), made of features with lengths (B,); returns (B, num_outputs).
        """
        said: Tensor = self.head(self.hidden(self.pooling(*as_sequence(self.narrow(maps), features, lengths))))
        return said

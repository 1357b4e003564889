# A residual block with CBAM, 64 channels: two 3 x 3 convolutions, the channels weighed, then the places
import torch
from torch import nn


class ChannelGate(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.narrow = nn.Linear(channels, max(channels // reduction, 1))
        self.widen = nn.Linear(max(channels // reduction, 1), channels)

    def forward(self, x):
        mean = self.widen(torch.relu(self.narrow(x.mean(dim=(2, 3)))))
        most = self.widen(torch.relu(self.narrow(x.amax(dim=(2, 3)))))
        return x * torch.sigmoid(mean + most)[:, :, None, None]


class SpatialGate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x):
        pair = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.norm(self.conv(pair)))


class CbamBlock(nn.Module):
    def __init__(self, channels=64):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.channel_gate = ChannelGate(channels)
        self.spatial_gate = SpatialGate()

    def forward(self, x):
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(x + self.spatial_gate(self.channel_gate(y)))

# ECAPA-TDNN up to its frame-level output: a k5 layer, then three SE-Res2 blocks with dilation 2, 3 and 4.
import torch
from torch import nn


class Res2(nn.Module):
    def __init__(self, channels, scale, dilation):
        super().__init__()
        self.width = channels // scale
        self.convs = nn.ModuleList(
            [nn.Conv1d(self.width, self.width, 3, dilation=dilation, padding=dilation) for _ in range(scale - 1)]
        )

    def forward(self, x):
        parts = torch.chunk(x, 8, dim=1)
        y = self.convs[0](parts[0])
        done = [y]
        for i, conv in enumerate(self.convs[1:]):
            y = conv(y + parts[i + 1])  # a cascade: each part has seen what the one before it saw
            done.append(y)
        done.append(parts[7])
        return torch.cat(done, dim=1)


class SqueezeExcite(nn.Module):
    def __init__(self, channels, bottleneck=128):
        super().__init__()
        self.down = nn.Conv1d(channels, bottleneck, 1)
        self.up = nn.Conv1d(bottleneck, channels, 1)

    def forward(self, x):
        mean = x.mean(dim=2, keepdim=True)
        return x * torch.sigmoid(self.up(torch.relu(self.down(mean))))


class Block(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.enter = nn.Sequential(nn.Conv1d(channels, channels, 1), nn.ReLU(), nn.BatchNorm1d(channels))
        self.res2 = Res2(channels, 8, dilation)
        self.leave = nn.Sequential(nn.Conv1d(channels, channels, 1), nn.ReLU(), nn.BatchNorm1d(channels))
        self.se = SqueezeExcite(channels)

    def forward(self, x):
        return x + self.se(self.leave(self.res2(self.enter(x))))


class ECAPA(nn.Module):
    def __init__(self, features=80, channels=512):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv1d(features, channels, 5, padding=2), nn.ReLU(), nn.BatchNorm1d(channels))
        self.layer2 = Block(channels, 2)
        self.layer3 = Block(channels, 3)
        self.layer4 = Block(channels, 4)
        self.join = nn.Conv1d(3 * channels, 1536, 1)

    def forward(self, x):
        x = self.layer1(x)
        a = self.layer2(x)
        b = self.layer3(a)
        c = self.layer4(b)
        return torch.relu(self.join(torch.cat([a, b, c], dim=1)))

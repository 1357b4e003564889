# Conv-TasNet with a long encoder window: 512 filters of 256 samples every 16, four repeats of eight dilations.
from torch import nn


class Block(nn.Module):
    def __init__(self, bottleneck, hidden, skip, dilation):
        super().__init__()
        self.widen = nn.Sequential(nn.Conv1d(bottleneck, hidden, 1), nn.PReLU(), nn.BatchNorm1d(hidden))
        self.depthwise = nn.Conv1d(hidden, hidden, 3, dilation=dilation, padding=dilation, groups=hidden)
        self.after = nn.Sequential(nn.PReLU(), nn.BatchNorm1d(hidden))
        self.residual = nn.Conv1d(hidden, bottleneck, 1)
        self.skip = nn.Conv1d(hidden, skip, 1)

    def forward(self, x):
        y = self.after(self.depthwise(self.widen(x)))
        return x + self.residual(y), self.skip(y)


class ConvTasNet(nn.Module):
    def __init__(self, filters=512, kernel=256, stride=16, bottleneck=128, hidden=512, skip=128, repeats=4, blocks=8):
        super().__init__()
        self.sources, self.filters = 2, filters
        self.encoder = nn.Conv1d(1, filters, kernel, stride=stride, bias=False)
        self.reduce = nn.Conv1d(filters, bottleneck, 1)
        self.blocks = nn.ModuleList()
        for _ in range(repeats):
            for i in range(blocks):
                self.blocks.append(Block(bottleneck, hidden, skip, 2**i))
        self.masks = nn.Sequential(nn.PReLU(), nn.Conv1d(skip, 2 * filters, 1), nn.Sigmoid())
        self.decoder = nn.ConvTranspose1d(filters, 1, kernel, stride=stride, bias=False)

    def forward(self, x):
        w = self.encoder(x)
        y = self.reduce(w)
        total = 0
        for block in self.blocks:
            y, skip = block(y)
            total = total + skip
        masks = self.masks(total)
        first = w * masks[:, : self.filters]
        return self.decoder(first)

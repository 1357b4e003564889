"""Every streaming layer and every registered architecture keeps the contract; one that is left out fails a test."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from contract import verify

import voxfield.models
import voxfield.nn
from voxfield.models import ARCHITECTURES, architecture
from voxfield.models.conv_tasnet import ConvTasNet, ConvTasNetConfig, Masker, TcnBlock
from voxfield.models.crn import Crn, CrnConfig, CrnEnhancer
from voxfield.models.crn_band import BandBlock, BandCrn, BandCrnConfig
from voxfield.models.pixelsnail import PixelRows, PixelSnail, PixelSnailConfig
from voxfield.models.wav2vec import Block, Wav2Vec, Wav2VecConfig
from voxfield.nn.conv import CausalConv1d, CausalConv2d, CausalConvTranspose1d, CausalConvTranspose2d
from voxfield.nn.depthwise import CausalSeparable1d, CausalSeparable2d
from voxfield.nn.level import MovingLevel
from voxfield.nn.masked import CausalAttention, MaskedConv
from voxfield.nn.norms import CumulativeNorm
from voxfield.nn.recurrent import Gru, Lstm
from voxfield.nn.streaming import Chain, Delay, Residual, Streaming

TASNET = ConvTasNetConfig(
    filters=8, kernel_samples=8, stride_samples=4, bottleneck=4, hidden=6, skip=5, blocks=2, repeats=2,
    norm="frame", first_norm="frame", causal=True,
)  # fmt: skip
CUMULATIVE = replace(TASNET, norm="cumulative", first_norm="cumulative")
CRN = CrnConfig(window_samples=126, hop_samples=63, filters=(2, 3, 4))
CRN = replace(CRN, time_kernels=(2, 1, 2), recurrent_layers=2)
BAND = BandCrnConfig(window_samples=64, hop_samples=32, channels=6, bands=3, hidden=5, blocks=2, level_frames=7)
WAV2VEC = Wav2VecConfig(
    channels=5, encoder_kernels=(6, 4), encoder_strides=(3, 2), context_kernels=(3, 2), norm="cumulative", causal=True,
    padding="zeros",
)  # fmt: skip
SNAIL = PixelSnailConfig(
    codes=7, columns=4, rows=5, embedding=3, channels=8, kernel=3, blocks=2, res_blocks=1, res_channels=3, heads=2,
    sample_rate_hz=16000, hop_samples=2048,
)  # fmt: skip
HINTED = replace(SNAIL, attention=False, hint_channels=3, hint_blocks=1, hint_rows=1, out_blocks=1)
LAYERS = {  # name: (layer, shape, layout)
    "conv": (lambda: CausalConv1d(3, 4, 5), (2, 3, 36), "BCT"),
    "conv, dilated": (lambda: CausalConv1d(3, 4, 3, dilation=4), (2, 3, 36), "BCT"),
    "conv, strided": (lambda: CausalConv1d(3, 4, 6, stride=2), (2, 3, 72), "BCT"),
    "conv, grouped": (lambda: CausalConv1d(4, 8, 3, groups=4), (2, 4, 36), "BCT"),
    "conv, no context": (lambda: CausalConv1d(3, 4, 3, stride=3), (2, 3, 108), "BCT"),
    "conv, transposed": (lambda: CausalConvTranspose1d(3, 2, 8, 3, bias=True), (2, 3, 36), "BCT"),
    "conv, transposed, no overlap": (lambda: CausalConvTranspose1d(3, 2, 4, 4), (2, 3, 36), "BCT"),
    "conv, 2d": (lambda: CausalConv2d(2, 3, (3, 2), bands=9, stride=2), (2, 2, 9, 36), "BCFT"),
    "conv, 2d, one frame": (lambda: CausalConv2d(2, 3, (3, 1), bands=9), (2, 2, 9, 36), "BCFT"),
    "conv, 2d, grouped": (lambda: CausalConv2d(4, 8, (3, 2), bands=9, groups=4), (2, 4, 9, 36), "BCFT"),
    "separable": (lambda: CausalSeparable1d(3, 4, 5), (2, 3, 36), "BCT"),
    "separable, strided": (lambda: CausalSeparable1d(3, 4, 6, 2, after=torch.nn.BatchNorm1d), (2, 3, 72), "BCT"),
    "separable, 2d": (lambda: CausalSeparable2d(2, 3, (3, 3), bands=9, padding=1), (2, 2, 9, 36), "BCFT"),
    "conv, 2d, transposed": (lambda: CausalConvTranspose2d(2, 3, (3, 2), bands=4, stride=2), (2, 2, 4, 36), "BCFT"),
    "conv, masked": (lambda: MaskedConv(3, 4, 6, 5), (2, 3, 36, 6), "BCTF"),
    "conv, masked, first": (lambda: MaskedConv(3, 4, 6, 5, 2, 3, bias=False), (2, 3, 36, 6), "BCTF"),
    "attention": (lambda: CausalAttention(6, 6, 4, 5, 4, 2), (2, 6, 36, 5), "BCTF"),
    "rows of codes": (lambda: PixelRows(SNAIL), (2, 3, 36, 4), "BCTF"),
    "rows of codes, no attention": (lambda: PixelRows(HINTED), (2, 3, 36, 4), "BCTF"),
    "delay": (lambda: Delay(3, 5), (2, 3, 36), "BCT"),
    "level": (lambda: MovingLevel(7), (2, 1, 36), "BCT"),
    "cumulative norm": (lambda: CumulativeNorm(4), (2, 4, 36), "BCT"),
    "gru": (lambda: Gru(3, 4, 2), (36, 2, 3), "TBC"),
    "lstm": (lambda: Lstm(3, 4, 2, batch_first=True), (2, 36, 3), "BTC"),
    "chain": (
        lambda: Chain(CausalConv1d(3, 4, 6, 2), torch.nn.ReLU(), CumulativeNorm(4), CausalConv1d(4, 3, 3, 3)),
        (2, 3, 216),
        "BCT",
    ),
    "chain, down and up": (
        lambda: Chain(CausalConv1d(3, 4, 6, 2), CausalConvTranspose1d(4, 3, 6, 3), CausalConv1d(3, 2, 4, 2)),
        (2, 3, 144),
        "BCT",
    ),
    "residual": (lambda: Residual(Chain(CausalConv1d(3, 3, 3, dilation=2), torch.nn.Tanh())), (2, 3, 36), "BCT"),
    "block of a separator": (lambda: TcnBlock(CUMULATIVE, 2, True, False), (2, 4, 36), "BCT"),
    "masker": (lambda: Masker(TASNET), (2, 8, 36), "BCT"),
    "block of bands": (lambda: BandBlock(3, 5), (36, 2, 3, 5), "TBFC"),
    "block of features": (lambda: Block(CausalConv1d(4, 4, 6, 2), 4, "cumulative", skip=True), (2, 4, 72), "BCT"),
    "crn, magnitudes": (lambda: Crn(replace(CRN, zero_first_frame=True, elu_skips=True)), (2, 1, 64, 36), "BCFT"),
}
NETWORKS = {
    "crn": (lambda: CrnEnhancer(CRN), (2, 2, 64, 36), "BCFT"),
    "crn-band": (lambda: BandCrn(BAND), (2, 2, 33, 36), "BCFT"),
    "crn-band, three sources": (lambda: BandCrn(replace(BAND, sources=3)), (2, 2, 33, 36), "BCFT"),
    "conv-tasnet": (lambda: ConvTasNet(TASNET), (2, 1, 4 * 36), "BCT"),
    "conv-tasnet, cumulative, no zeros": (
        lambda: ConvTasNet(replace(CUMULATIVE, padding="none", kernel_samples=12)),
        (2, 1, 4 * 36),
        "BCT",
    ),
    "conv-tasnet, batch, one stride": (
        lambda: ConvTasNet(replace(TASNET, norm="batch", kernel_samples=4)),
        (2, 1, 4 * 36),
        "BCT",
    ),
    "wav2vec": (lambda: Wav2Vec(WAV2VEC), (2, 1, 6 * 36), "BCT"),
    "wav2vec, frame": (
        lambda: Wav2Vec(replace(WAV2VEC, norm="frame", encoder_skip=True, skip=False, bias=False)),
        (2, 1, 6 * 36),
        "BCT",
    ),
}
CODES = {
    "pixelsnail": (lambda: PixelSnail(SNAIL), (2, 4, 36), 7),
    "pixelsnail, one-hot": (lambda: PixelSnail(replace(SNAIL, embedding=0)), (2, 4, 36), 7),
    "pixelsnail, hinted": (lambda: PixelSnail(HINTED), (2, 6, 36), 7),
}


def made(make):
    """The layer, with parameters and statistics that have seen something."""
    torch.manual_seed(0)
    layer = make().eval()
    for module in layer.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return layer


@pytest.mark.parametrize("name", [*LAYERS, *NETWORKS])
def test_contract(name):
    make, shape, layout = (LAYERS | NETWORKS)[name]
    verify(made(make), shape, layout)


@pytest.mark.parametrize("name", CODES)
def test_contract_of_networks_of_codes(name):
    make, shape, codes = CODES[name]
    verify(made(make), shape, codes=codes)


def streaming_classes() -> Iterator[type]:
    """Every class of a streaming layer in `nn` and `models`; bases begin with an underscore."""
    for room in (voxfield.nn, voxfield.models):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            loaded = importlib.import_module(module.name)
            for value in vars(loaded).values():
                if isinstance(value, type) and issubclass(value, Streaming) and value.__module__ == module.name:
                    yield value


def test_no_layer_is_left_out():
    covered = {type(make()) for make, *_ in (LAYERS | NETWORKS | CODES).values()}
    every = {kind for kind in streaming_classes() if kind is not Streaming and not kind.__name__.startswith("_")}
    assert len(every) >= 18
    assert every - covered == set(), "add these to LAYERS"


def test_no_architecture_is_left_out():
    """Those that take their input whole are in test_whole_input.py."""
    covered = {type(make()) for make, *_ in (NETWORKS | CODES).values()}
    every = {kind for name in ARCHITECTURES if issubclass(kind := architecture(name)[1], Streaming)}
    assert len(every) >= 3 and every - covered == set(), "add these to NETWORKS"


def test_a_layer_that_breaks_the_contract_is_caught():
    class Peeking(CausalConv1d):
        """Looks one step ahead inside its block."""

        def step(self, x, state):
            y, state = super().step(x, state)
            return y + 0.1 * torch.nn.functional.pad(x[:, :1, 1:], (0, 1)), state

    class Forgetful(CausalConv1d):
        def step(self, x, state):
            y, state = super().step(x, state)
            return y, torch.zeros_like(state)

    class Remembering(CausalConv1d):
        """Keeps its state in itself."""

        def step(self, x, state):
            if state is not None and state.any() and hasattr(self, "kept"):
                state = self.kept
            y, self.kept = super().step(x, state)
            return y, self.kept

    for kind in (Peeking, Forgetful, Remembering):
        torch.manual_seed(0)
        with pytest.raises(AssertionError):
            verify(kind(3, 4, 5), (2, 3, 36))

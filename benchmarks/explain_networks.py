"""Explain against networks written by others: field by gradient probe, parameters and multiply-accumulates by torch.

    pip install transformers            # its networks for pictures and audio run without torchvision and torchaudio
    python benchmarks/explain_networks.py [--json FILE] [NAME ...]

Every network has random weights and runs on the CPU. A row is right when the probes find no difference, the parameters
are those of the module and the multiply-accumulates are half of what torch's own counter finds (which leaves out
recurrent layers: their share is added by formula). Refused means an error with a reason; anything else is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from voxfield.errors import ExplainError
from voxfield.explain import explain, read
from voxfield.explain.probe import gradient_probe

Shape = tuple[int, ...]
Case = tuple[Callable[[], nn.Module], Shape]


class First(nn.Module):
    """The first tensor of what a module answers, whatever it is wrapped in."""

    def __init__(self, module: nn.Module, inside: str = "") -> None:
        super().__init__()
        self.module, self.inside = module, inside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = getattr(self.module, self.inside)(x) if self.inside else self.module(x)
        while not isinstance(made, torch.Tensor):
            made = made[0] if not isinstance(made, dict) else next(iter(made.values()))
        return made


def network(model: str, config: str, shape: Shape = (1, 8000), inside: str = "", **settings: Any) -> Case:
    """A network of transformers with a small configuration."""

    def make() -> nn.Module:
        import transformers

        settings_of = getattr(transformers, config)(**settings)
        return First(getattr(transformers, model)(settings_of), inside)

    return make, shape


SMALL = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
SMALL |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "conv_dim": (32,) * 7}
W2V = {**SMALL, "attn_implementation": "eager"}

CASES: dict[str, Case] = {
    **{
        name.lower(): network(f"{name}Model", f"{name}Config", (1, 3, 64, 64))
        for name in (
            "MobileNetV1", "MobileNetV2", "EfficientNet", "ConvNext", "ConvNextV2", "Bit", "PoolFormer", "Segformer",
            "MobileViT", "MobileViTV2", "SwiftFormer", "FocalNet", "PvtV2", "Cvt", "Swin", "DINOv3ConvNext",
            "TextNet", "ResNet", "RegNet",
        )
    },
    "levit": network("LevitModel", "LevitConfig", (1, 3, 224, 224)),
    "resnet bottleneck": network(
        "ResNetModel", "ResNetConfig", (1, 3, 64, 64), layer_type="bottleneck", depths=[2, 2, 2, 2]
    ),
    "resnet basic": network(
        "ResNetModel", "ResNetConfig", (1, 3, 64, 64), layer_type="basic", hidden_sizes=[16, 32], depths=[2, 2]
    ),
    "wav2vec2 feature encoder": network("Wav2Vec2Model", "Wav2Vec2Config", inside="feature_extractor", **W2V),
    "wav2vec2": network("Wav2Vec2Model", "Wav2Vec2Config", **W2V),
    "hubert": network("HubertModel", "HubertConfig", **W2V),
    "wavlm": network("WavLMModel", "WavLMConfig", **SMALL),
    "data2vec audio": network("Data2VecAudioModel", "Data2VecAudioConfig", **W2V),
    "unispeech": network("UniSpeechModel", "UniSpeechConfig", **W2V),
    "sew": network("SEWModel", "SEWConfig", **{**W2V, "conv_dim": (32,) * 13, "squeeze_factor": 2}),
    "whisper encoder": network(
        "WhisperModel", "WhisperConfig", (1, 80, 200), "encoder", d_model=48, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_source_positions=100,
    ),
    "encodec encoder": network("EncodecModel", "EncodecConfig", (1, 1, 6400), "encoder", num_filters=4, hidden_size=16),
    "dac encoder": network("DacModel", "DacConfig", (1, 1, 4096), "encoder", encoder_hidden_size=8, hidden_size=32),
    "mimi encoder": network(
        "MimiModel", "MimiConfig", (1, 1, 9600), "encoder", num_filters=4, hidden_size=32, upsample_groups=32
    ),
    "audio spectrogram transformer": network(
        "ASTModel", "ASTConfig", (1, 128, 64), hidden_size=48, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64, max_length=128, num_mel_bins=64,
    ),
    "hifi-gan": network("SpeechT5HifiGan", "SpeechT5HifiGanConfig", (1, 20, 80), upsample_initial_channel=32),
}  # fmt: skip


def counted(module: nn.Module, shape: Shape) -> int:
    """Multiply-accumulates by torch's own counter, recurrent layers by formula."""
    extra = 0

    def recurrent(layer: Any, inputs: Any, outputs: Any) -> None:
        nonlocal extra
        steps = outputs[0].numel() // outputs[0].shape[-1]
        extra += steps * sum(p.numel() for n, p in layer.named_parameters() if n.startswith("weight"))

    hooks = [m.register_forward_hook(recurrent) for m in module.modules() if isinstance(m, nn.RNNBase)]
    # fused attention is not counted on the CPU; written out, its two products are
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(shape))
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops() // 2 + extra


def judged(name: str, make: Callable[[], nn.Module], shape: Shape) -> dict[str, Any]:
    """One row: right, refused with a reason, or wrong and in what."""
    torch.manual_seed(0)
    try:
        module = make().eval()
    except (ImportError, AttributeError) as error:
        return {"name": name, "verdict": "not installed", "detail": str(error)[:100]}
    start = time.perf_counter()
    try:
        graph = read(module, input_shape=shape)
        report = explain(graph)
        probes = gradient_probe(report, module, graph)
    except ExplainError as error:
        return {"name": name, "verdict": "refused", "detail": str(error)[:160]}
    seconds = time.perf_counter() - start
    total = sum(p.numel() for p in module.parameters())
    unused = sum(int(n.split()[0]) for n in report.notes if "take no part" in n)
    faults = [f"{p.probe} {p.axis}: {p.symbolic} / {p.measured}" for p in probes if p.agrees is False]
    if report.costs.params.value != total - unused:
        faults.append(f"parameters {report.costs.params.value} / {total - unused}")
    macs = counted(module, shape)
    if report.costs.macs.value != macs:
        faults.append(f"MACs {report.costs.macs.value} / {macs}")
    partial = report.unknown or report.costs.macs.status != "exact"
    verdict = "right" if not faults else "partial, said" if partial else "wrong"
    fields = [f"{f.axis} {f.rf if f.rf is not None else 'all' if f.whole_input else '?'}" for f in report.fields]
    return {
        "name": name,
        "verdict": verdict,
        "seconds": round(seconds, 1),
        "field": ", ".join(fields),
        "parameters": report.costs.params.value,
        "macs": report.costs.macs.value,
        "probes": sum(p.agrees is True for p in probes),
        "detail": "; ".join(faults + ([f"unknown: {report.unknown[:3]}"] if report.unknown else []))[:240],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks to look at; all without it")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rows = []
    for name in options.names or CASES:
        with contextlib.redirect_stderr(io.StringIO()):
            row = judged(name, *CASES[name])
        rows.append(row)
        print(f"{row['name']:<30} {row['verdict']:<14} {row.get('field', ''):<28} {row['detail']}", flush=True)
    verdicts = [row["verdict"] for row in rows]
    print({verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return int("wrong" in verdicts)


if __name__ == "__main__":
    sys.exit(main())

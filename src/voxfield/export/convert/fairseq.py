"""wav2vec of fairseq: a number a layer, and within a layer 0, 1, 2, 3 for padding or convolution, dropout, norm, ReLU.

Its file holds an `argparse.Namespace` of settings, of which nothing but the values is read. Strides are among them and
in no tensor.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor

from voxfield.errors import CheckpointError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program, configured, proved
from voxfield.export.convert.renaming import renamed
from voxfield.models.wav2vec import Wav2Vec, Wav2VecConfig
from voxfield.train.checkpoint import restore

NAMES = (  # (pattern of theirs, ours)
    (r"feature_extractor\.conv_layers\.(\d+)\.0", "encoder.layers.{0}.conv"),
    (r"feature_extractor\.conv_layers\.(\d+)\.2", "encoder.layers.{0}.norm"),
    (r"feature_aggregator\.conv_layers\.(\d+)\.3", "context.layers.{0}.norm"),
    (r"wav2vec_predictions\.project_to_steps", "predict"),
)
CHOICES = {  # their switch -> (ours, our values of off and on)
    "skip_connections_agg": ("skip", (False, True)),
    "skip_connections_feat": ("encoder_skip", (False, True)),
    "log_compression": ("log_compression", (False, True)),
    "agg_zero_pad": ("padding", ("replicate", "zeros")),
}
HABITS = {"skip": True, "encoder_skip": False, "log_compression": True, "padding": "replicate"}  # of their command line
ONLY = {  # settings of which our network knows one value
    "aggregator": "cnn",
    "activation": "relu",
    "vq_type": "none",
    "project_features": "none",
    "non_affine_group_norm": False,
    "residual_scale": 0.5,
}


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The network of a checkpoint; stored cases are samples `source` (B, N) with `z` and `c` (B, C, T).

    Raises:
        CheckpointError: tensors are missing, left over or of another shape, or a setting asks for another network.
        InputError: an override that is no `key=value` of the configuration.
    """
    config, assumed = _configure(content, overrides)
    net = Wav2Vec(config).eval()
    padded = "conv" if config.padding == "zeros" else "1"  # where the convolution lies behind its padding
    names = [*NAMES, (r"feature_aggregator\.conv_layers\.(\d+)\.1", f"context.layers.{{0}}.conv.{padded}")]
    restore(net, renamed(content.tensors, names, net.state_dict()), str(content.path))
    proofs = {
        f"{what}, {output}": difference
        for at, output in enumerate(("z", "c"))
        for what, difference in proved(content.pairs("source", output), partial(_layer, net, at)).items()
    }
    card = {
        "task": "represent",
        "architecture": "wav2vec",
        "summary": f"{config.channels} features of z and of c, wav2vec converted from fairseq",
    }
    return Made(net, card, proofs, assumed)


def _layer(net: Wav2Vec, at: int, source: Tensor) -> Tensor:
    z, c, _ = net.layers(source.reshape(len(source), 1, -1))
    return (z, c)[at]


def _configure(content: Checkpoint, overrides: Sequence[str]) -> tuple[Wav2VecConfig, tuple[str, ...]]:
    settings = content.settings
    for key, only in ONLY.items():
        if settings.get(key, only) not in (only, None):
            raise CheckpointError(f"the checkpoint says {key} = {settings[key]!r}; only {only!r} can be converted")
    encoder = _kernels(content, r"feature_extractor\.conv_layers\.(\d+)\.0\.weight")
    context = _kernels(content, r"feature_aggregator\.conv_layers\.(\d+)\.1\.weight")
    known: dict[str, Any] = {
        "channels": content.tensor("feature_extractor.conv_layers.0.0.weight", 3).shape[0],
        "encoder_kernels": encoder,
        "context_kernels": context,
        "prediction_steps": content.tensor("wav2vec_predictions.project_to_steps.weight", 4).shape[-1],
        "bias": "feature_aggregator.conv_layers.0.1.bias" in content.tensors,
    }
    if "conv_feature_layers" in settings:
        known["encoder_strides"] = _strides(settings["conv_feature_layers"], encoder)
    for theirs, (ours, values) in CHOICES.items():
        if settings.get(theirs) is not None:
            known[ours] = values[bool(settings[theirs])]
    habits = {**HABITS, "encoder_strides": [max(kernel // 2, 1) for kernel in encoder]}
    return configured(Wav2VecConfig, known, habits, overrides)


def _kernels(content: Checkpoint, pattern: str) -> tuple[int, ...]:
    found = {int(match[1]): name for name in content.tensors if (match := re.fullmatch(pattern, name))}
    return tuple(content.tensor(found[layer], 3).shape[-1] for layer in sorted(found))


def _strides(layers: Any, kernels: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a setting such as "[(512, 10, 5), (512, 8, 4)] + [(512, 4, 2)] * 3": channels, kernel, stride."""
    try:
        rows = _rows(ast.parse(str(layers), mode="eval").body) if isinstance(layers, str) else list(layers)
        table = [(int(kernel), int(stride)) for _, kernel, stride in rows]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise CheckpointError(
            f"the checkpoint says conv_feature_layers = {layers!r:.100}; a list of (channels, kernel, stride) is needed"
        ) from error
    if tuple(kernel for kernel, _ in table) != kernels:
        raise CheckpointError(
            f"the checkpoint says conv_feature_layers = {layers!r:.100}, but its tensors have kernels {list(kernels)}"
        )
    return tuple(stride for _, stride in table)


def _rows(node: ast.expr) -> list[Any]:
    """Lists of plain values, sums of such lists and few times one: what their users write, and nothing that runs."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _rows(node.left) + _rows(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        times = ast.literal_eval(node.right)
        if isinstance(times, int) and 0 < times <= 64:
            return (_rows(node.left) * times)[:256]
    found = ast.literal_eval(node)
    if not isinstance(found, list):
        raise TypeError
    return found


PROGRAM = Program(r"^feature_aggregator\.conv_layers\.", make)

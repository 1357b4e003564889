"""Conv-TasNet checkpoints of other programs as ours: safetensors, a card, and ONNX if asked for.

The configuration is read off the tensors. What they cannot say (the norm behind a scale and offset, the mask function,
the repeats, at some programs the stride) comes from settings stored beside them, or is assumed, and said aloud.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from voxfield.errors import CheckpointError, InputError, OutputError
from voxfield.export.foreign import PROGRAMS, looks_like, ours_from, rows, theirs_from
from voxfield.export.settings import configure
from voxfield.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from voxfield.nn.streaming import run

CONTAINERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
PREFIXES = ("module.", "model.", "_orig_mod.")
STORED_SETTINGS = ("model_args", "config", "hparams", "hyper_parameters", "args", "conf")


@dataclass(frozen=True)
class Conversion:
    """What was made, what was assumed on the way, and the differences that were found to be small enough."""

    config: Any  # the dataclass of the network's architecture
    assumed: tuple[str, ...]  # settings that neither tensors nor file said
    files: tuple[Path, ...]
    proofs: Mapping[str, float]  # what was compared -> largest relative difference


def convert(
    checkpoint: str | Path,
    program: str,
    out: str | Path,
    overrides: Sequence[str] = (),
    onnx: bool = False,
    name: str = "",
) -> Conversion:
    """Weights of another program's network as safetensors, a card in JSON and, if asked, an ONNX file.

    Args:
        checkpoint: file of torch tensors (read without running anything in it) or safetensors.
        program: asteroid, torchaudio, kaituoxu or naplab; tan-wang for the CRN of those authors.
        out: folder; made if need be.
        overrides: `key=value` of `ConvTasNetConfig` for what the tensors cannot say.
        onnx: write the ONNX file too, after parity was shown.
        name: name on the card; from the program and the weights' hash if empty.

    Raises:
        CheckpointError: not readable, tensors missing or left over, or another architecture (named if recognised).
        InputError: an override that is no key of the configuration.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if program == "tan-wang":
        from voxfield.export.convert_crn import convert_crn

        return convert_crn(checkpoint, out, onnx=onnx, name=name)
    if program not in PROGRAMS:
        raise InputError(f"--from {program} is not known; choose one of {', '.join(PROGRAMS)}, tan-wang")
    tensors, stored, cases = read(checkpoint)
    seen = looks_like(tensors)
    if seen != program:
        raise CheckpointError(_not_of(program, seen, checkpoint, tensors))
    config, assumed = configure(program, tensors, stored, overrides)
    table = list(rows(config, program))
    net = ConvTasNet(config).eval()
    weights = ours_from(tensors, net.state_dict(), table)
    net.load_state_dict(weights)
    proofs = dict(_proofs(net, weights, tensors, table, cases))
    for what, difference in proofs.items():
        if not difference <= 1e-5:
            raise CheckpointError(
                f"{checkpoint}: {what} differs by {difference:.1e} (relative), over 1e-05. "
                f"Assumed were {', '.join(assumed) or 'no settings'}; give others with --set"
            )
    about = _about(net, program, name, tensors)
    files = write(net, weights, about, out, onnx, stem=str(about["name"]).partition(".")[0])
    return Conversion(config, assumed, files, proofs)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[dict[str, Any]]]:
    """(Tensors, settings stored beside them, stored pairs of input and output) of a checkpoint file.

    Raises:
        CheckpointError: no such file, not a checkpoint, or one that holds more than tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path)), {}, []
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, and nothing in a checkpoint is run here; "
            f"save its state_dict() alone and convert that ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, SafetensorError, EOFError, ValueError, KeyError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is not a checkpoint of torch tensors: {first}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; a state dict of named tensors is needed")
    stored: dict[str, Any] = {
        key: value for key, value in content.items() if isinstance(value, str | int | float | bool)
    }
    for key in STORED_SETTINGS:
        if isinstance(content.get(key), Mapping):
            stored |= content[key]
    cases = content.get("cases")
    tensors: Mapping[str, Any] = content
    for key in CONTAINERS:
        if isinstance(content.get(key), Mapping) and any(torch.is_tensor(value) for value in content[key].values()):
            tensors = content[key]
            break
    found = {str(name): value for name, value in tensors.items() if torch.is_tensor(value)}
    if not found:
        raise CheckpointError(f"{path} holds no named tensors; a state dict is needed")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found, stored, cases if isinstance(cases, list) else []


def load(path: str | Path) -> ConvTasNet:
    """The Conv-TasNet of a safetensors file that `convert` wrote."""
    from safetensors import safe_open

    with safe_open(str(path), "pt") as file:
        about = json.loads((file.metadata() or {}).get("voxfield.card", "null"))
    if not about or about.get("architecture") != "conv-tasnet":
        raise CheckpointError(f"{path} was not written by `voxfield convert`: it names no Conv-TasNet configuration")
    net = ConvTasNet(ConvTasNetConfig(**about["config"])).eval()
    net.load_state_dict(load_file(str(path)))
    return net


def _proofs(
    net: ConvTasNet,
    weights: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    table: list[Any],
    cases: list[dict[str, Any]],
) -> Iterator[tuple[str, float]]:
    """What was compared and the largest difference, relative to the largest value."""
    back = theirs_from(weights, {name: tensor.shape for name, tensor in tensors.items()}, table)
    same = back.keys() == tensors.keys() and all(torch.equal(back[name], tensors[name]) for name in back)
    yield "converting back", 0.0 if same else float("inf")
    with torch.no_grad():
        for number, case in enumerate(cases):
            mixture = case["input"]["mixture"]
            wanted = case["output"]["sources"]
            got = net.separate(mixture if mixture.ndim == 3 else mixture[:, None])
            yield f"stored case {number}", relative_difference(got, wanted)
        if not net.config.not_streaming_because:
            hop = net.config.stride_samples
            x = torch.randn(1, 1, 40 * hop, generator=torch.Generator().manual_seed(0))
            whole, _ = net(x)
            parts, state = [], None
            for block in x.split([hop, 7 * hop, 2 * hop, 30 * hop], dim=-1):
                y, state = run(net, block, state)
                parts.append(y)
            yield "streamed against whole", relative_difference(torch.cat(parts, -1), whole)


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest value wanted; infinite where the shapes differ."""
    if got.shape != wanted.shape:
        return float("inf")
    return float((got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-9))


def hash_of(tensors: Mapping[str, Tensor]) -> str:
    """Eight hex digits of the sha256 over names and values: the tag of a converted model."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(key.encode() + np.ascontiguousarray(tensors[key].numpy()).tobytes())
    return digest.hexdigest()[:8]


def _about(net: ConvTasNet, program: str, name: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The card's fields that do not depend on the ONNX file."""
    config = net.config
    return {
        "name": name or f"conv-tasnet-{program}.{hash_of(tensors)}",
        "task": "separate",
        "architecture": "conv-tasnet",
        "summary": f"{config.sources} voices at {config.sample_rate_hz} Hz, converted from a checkpoint of {program}",
        "licence": "that of the checkpoint it was converted from",
        "data": ["unknown: see the checkpoint it was converted from"],
        "config": dataclasses.asdict(config),
        "interface": net.interface(),
    }


def write(
    net: nn.Module, weights: dict[str, Tensor], about: dict[str, Any], out: Path, onnx: bool, stem: str
) -> tuple[Path, ...]:
    """Safetensors, card and, if asked for, ONNX of a converted network: the files that were written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lone = about | {"interface": about["interface"].to_dict()}
        card = json.dumps(lone, indent=2)
        files = [out / f"{stem}.safetensors", out / f"{stem}.json"]
        partial = out / f".{stem}.tmp"
        save_file(
            {key: value.contiguous() for key, value in weights.items()}, partial, {"voxfield.card": json.dumps(lone)}
        )
        partial.replace(files[0])
        if onnx:
            from voxfield.export.onnx_file import export_network

            files.append(out / f"{stem}.onnx")
            card = json.dumps(json.loads(export_network(net, files[-1], about).to_json()), indent=2)
        files[1].write_text(card + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}") from error
    return tuple(files)


def _not_of(program: str, seen: str, path: Path, tensors: Mapping[str, Tensor]) -> str:
    if seen in PROGRAMS:
        return f"{path} looks like a Conv-TasNet of {seen}, not of {program}; use --from {seen}"
    first = ", ".join(list(tensors)[:3])
    if seen:
        return f"{path} looks like {seen}, not like a Conv-TasNet of {program} (its tensors begin with {first})"
    return f"{path} does not look like a Conv-TasNet of {program}: its tensors begin with {first}"

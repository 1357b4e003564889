"""A checkpoint of another program as safetensors, a card in JSON and, if asked for, an ONNX file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from voxfield.cards import example_card
from voxfield.errors import CardError, CheckpointError, InputError
from voxfield.export.convert.checkpoint import Checkpoint, read
from voxfield.export.convert.program import TOLERANCE
from voxfield.export.convert.programs import PROGRAMS, looks_like
from voxfield.files import refused
from voxfield.models import architecture
from voxfield.train.checkpoint import restore
from voxfield.values import build


@dataclass(frozen=True)
class Conversion:
    """What was made, what was assumed on the way, and the differences that were found to be small enough."""

    config: Any  # the dataclass of the network's architecture
    assumed: tuple[str, ...]  # settings that neither tensors nor file said
    files: tuple[Path, ...]
    proofs: Mapping[str, float]  # what was compared -> largest relative difference
    notes: tuple[str, ...] = ()  # what users should know of the result


def convert_checkpoint(
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
        program: one of `PROGRAMS`.
        out: folder; made if need be. Nothing is left in it where something fails.
        overrides: `key=value` of the network's configuration for what the tensors cannot say.
        onnx: write the ONNX file too, after parity was shown.
        name: name on the card; from the program and the weights' hash if empty.

    Raises:
        CheckpointError: not readable, tensors missing or left over, or another architecture (named if recognised).
        InputError: no such program, an override that is no key of the configuration, or an unusable name.
        OutputError: the files cannot be written.
    """
    if program not in PROGRAMS:
        raise InputError(f"--from {program} is not known; choose one of {', '.join(PROGRAMS)}")
    if name:
        check_name(name)
    content = read(checkpoint)
    seen = looks_like(content.tensors)
    if seen != program:
        raise CheckpointError(_not_of(program, seen, content))
    made = PROGRAMS[program].make(content, overrides)
    for what, difference in made.proofs.items():
        if not difference <= TOLERANCE:
            raise CheckpointError(
                f"{checkpoint}: {what} differs by {difference:.1e} (relative), over {TOLERANCE:.0e}. "
                f"Assumed were {', '.join(made.assumed) or 'no settings'}; give others with --set"
            )
    net: Any = made.net
    tag = hash_of(content.tensors)
    about = {
        "name": name or f"{made.card['architecture']}-{program.replace('-', '')}.{tag}",
        **made.card,
        "licence": "that of the checkpoint it was converted from",
        "data": ["unknown: see the checkpoint it was converted from"],
        "config": dataclasses.asdict(net.config),
        "interface": net.interface(),
    }
    files = write(net, about, Path(out), onnx)
    return Conversion(net.config, made.assumed, files, made.proofs, made.notes)


def load(path: str | Path) -> nn.Module:
    """The network of a safetensors file that `convert_checkpoint` wrote, ready to run.

    Raises:
        CheckpointError: another file.
    """
    try:
        with safe_open(str(path), "pt") as file:
            about = json.loads((file.metadata() or {}).get("voxfield.card", "null"))
        if not about:
            raise CheckpointError(f"{path} was not written by `voxfield convert`: it names no configuration")
        config, network = architecture(about["architecture"])
        net: nn.Module = network(build(config, about["config"], "config")).eval()
        restore(net, safetensors.torch.load_file(str(path)), str(path))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a safetensors file that can be read") from error
    return net


def hash_of(tensors: Mapping[str, Tensor]) -> str:
    """Eight hex digits of the sha256 over names and values: the tag of a converted model."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(key.encode() + tensors[key].contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]


def write(net: nn.Module, about: Mapping[str, Any], out: Path, onnx: bool) -> tuple[Path, ...]:
    """Safetensors, card and, if asked for, ONNX of a network: all of them, or none where one fails."""
    stem = str(about["name"]).partition(".")[0]
    lone = {**about, "interface": about["interface"].to_dict()}
    names = [f"{stem}.safetensors", f"{stem}.json", *([f"{stem}.onnx"] if onnx else [])]
    weights = {key: value.contiguous() for key, value in net.state_dict().items()}
    there = out.exists()
    try:
        with refused(f"cannot write to {out}"):
            out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=out, prefix=".convert-") as folder:
                card = json.dumps(lone, indent=2)
                content = safetensors.torch.save(weights, {"voxfield.card": json.dumps(lone)})
                (Path(folder) / names[0]).write_bytes(content)
                if onnx:
                    from voxfield.export.onnx_file import export_parts, part_path, parts_of

                    exported = export_parts(net, Path(folder) / names[2], about)
                    names[2:] = [part_path(Path(names[2]), ending).name for ending in parts_of(net)]
                    card = json.dumps(json.loads(exported.to_json()), indent=2)
                (Path(folder) / names[1]).write_text(card + "\n", encoding="utf-8")
                for name in names:
                    (Path(folder) / name).replace(out / name)
    finally:
        if not there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
    return tuple(out / name for name in names)


def check_name(name: str) -> None:
    """Return when a card can have this name.

    Raises:
        InputError: it cannot.
    """
    try:
        example_card(name=name)
    except CardError as error:
        raise InputError(
            f"--name {name} cannot be used: write architecture-variant.tag in small letters, digits and hyphens, "
            "such as conv-tasnet-talks.v1"
        ) from error


def _not_of(program: str, seen: str, content: Checkpoint) -> str:
    if seen in PROGRAMS:
        return f"{content.path} looks like a network of {seen}, not of {program}; use --from {seen}"
    first = ", ".join(list(content.tensors)[:3])
    if seen:
        return f"{content.path} looks like {seen}, not like a network of {program} (its tensors begin with {first})"
    return f"{content.path} does not look like a network of {program}: its tensors begin with {first}"

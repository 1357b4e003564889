"""`voxfield convert`: another program's checkpoint as ours."""

import json
from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.jobs import say
from voxfield.errors import InputError


def command(
    checkpoint: Annotated[Path, typer.Argument(help="File of torch tensors, safetensors, .keras or .h5.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="Program that made it.",
            metavar="asteroid|torchaudio|kaituoxu|naplab|tan-wang|keras|wespeaker|speechbrain|taoruijie|fairseq|rosinality",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.", metavar="DIR")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="What the tensors cannot say, such as blocks=4.", metavar="KEY=VALUE"),
    ] = None,
    name: Annotated[str, typer.Option(help="Name on the card; architecture-variant.tag.")] = "",
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX file as well, which runs by itself.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier conversion wrote.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Convert a network that another program trained: safetensors and a card, and ONNX with --onnx.

    Conv-TasNet of four programs, the CRN of its authors, speaker networks of WeSpeaker, SpeechBrain and TaoRuijie,
    wav2vec (v1) of fairseq, rosinality's VQ-VAE-2, and of Keras MobileNet, ResNet, MEAN_Spot and the CRN.

    The configuration is read off the tensors; what they cannot say is taken from the settings stored beside them, or
    assumed, and what was assumed is said. Nothing in the checkpoint is run.

    Examples:

      voxfield convert best_model.pth --from asteroid -o converted/ --onnx

      voxfield convert tasnet.pt --from naplab -o converted/ --set blocks=4 --set sample_rate_hz=16000

      voxfield convert mobilenet.keras --from keras -o converted/

      voxfield convert avg_model.pt --from wespeaker -o converted/ --onnx
    """
    if out.is_dir() and any(out.glob("*.safetensors")) and not overwrite:
        raise InputError(f"{out} already holds converted weights; add --overwrite to replace those of the same name")
    if out.exists() and not out.is_dir():
        raise InputError(f"-o {out} is a file; name a folder")
    from dataclasses import asdict

    from voxfield.export.convert import convert_checkpoint

    made = convert_checkpoint(checkpoint, source, out, set_ or [], onnx=onnx, name=name)
    for setting in made.assumed:
        say(f"assumed {setting}: the checkpoint does not say; correct it with --set")
    for note in made.notes:
        say(f"note: {note}")
    if as_json:
        print(
            json.dumps(
                {
                    "config": asdict(made.config),
                    "assumed": list(made.assumed),
                    "files": [str(path) for path in made.files],
                    "notes": list(made.notes),
                    "largest_relative_difference": dict(made.proofs),
                }
            )
        )
        return
    for what, difference in made.proofs.items():
        print(f"{what}: largest relative difference {difference:.1e}")
    for path in made.files:
        print(path)

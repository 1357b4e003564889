"""Convolutional speech networks that run without torch, stream sample for sample, and explain themselves.

    import voxfield as vf
    vf.enhance("noisy.wav").save("clean.wav")

Importing this loads nothing heavy: each name below is fetched when it is first used.
"""

TYPE_CHECKING = False  # type checkers know this name; `typing` itself takes longer to load than all of this

_HOMES = {
    "Card": "voxfield.cards",
    "Diarized": "voxfield.tasks",
    "Embedded": "voxfield.tasks",
    "Enhanced": "voxfield.tasks",
    "Enhancer": "voxfield.tasks",
    "Represented": "voxfield.tasks",
    "Separated": "voxfield.tasks",
    "Separator": "voxfield.tasks",
    "SpeakerBook": "voxfield.tasks",
    "Stream": "voxfield.runtime",
    "Verified": "voxfield.tasks",
    "VoxfieldError": "voxfield.errors",
    "diarize": "voxfield.tasks",
    "embed": "voxfield.tasks",
    "enhance": "voxfield.tasks",
    "enhance_file": "voxfield.tasks",
    "explain": "voxfield.explain",
    "load_engine": "voxfield.runtime",
    "represent": "voxfield.tasks",
    "sample": "voxfield.tasks",
    "separate": "voxfield.tasks",
    "verify": "voxfield.tasks",
}

__all__ = [  # the same names, spelt out for tools that read and do not run
    "Card",
    "Diarized",
    "Embedded",
    "Enhanced",
    "Enhancer",
    "Represented",
    "Separated",
    "Separator",
    "SpeakerBook",
    "Stream",
    "Verified",
    "VoxfieldError",
    "diarize",
    "embed",
    "enhance",
    "enhance_file",
    "explain",
    "load_engine",
    "represent",
    "sample",
    "separate",
    "verify",
]

if TYPE_CHECKING:
    from voxfield.cards import Card
    from voxfield.errors import VoxfieldError
    from voxfield.explain import explain
    from voxfield.runtime import Stream, load_engine
    from voxfield.tasks import (
        Diarized,
        Embedded,
        Enhanced,
        Enhancer,
        Represented,
        Separated,
        Separator,
        SpeakerBook,
        Verified,
        diarize,
        embed,
        enhance,
        enhance_file,
        represent,
        sample,
        separate,
        verify,
    )


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return import_module("importlib.metadata").version("voxfield")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'voxfield' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

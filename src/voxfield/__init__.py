"""Convolutional speech networks that run without torch, stream sample for sample, and explain themselves.

    import voxfield as vf
    vf.enhance("noisy.wav").save("clean.wav")

Importing this loads nothing heavy: each name below is fetched when it is first used.
"""

TYPE_CHECKING = False  # type checkers know this name; `typing` itself takes longer to load than all of this

_HOMES = {  # of the names that are not of `voxfield.tasks`
    "Card": "voxfield.cards",
    "Stream": "voxfield.runtime",
    "VoxfieldError": "voxfield.errors",
    "explain": "voxfield.explain",
    "load_engine": "voxfield.runtime",
}

__all__ = [
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
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "voxfield.tasks")), name)
    raise AttributeError(f"module 'voxfield' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""What a user asks for: enhance a recording, separate its voices, tell whose voice it is, turn it into features."""

from voxfield.tasks.embedding import Embedded, embed, embedding_engine
from voxfield.tasks.enhancement import DEFAULT_MODEL, Enhanced, EnhanceOptions, enhance, enhance_file, enhance_into
from voxfield.tasks.enhancer import Enhancer
from voxfield.tasks.representation import Represented, represent, represent_into, representing_engine
from voxfield.tasks.separation import Separated, separate, separate_into, separating_engine
from voxfield.tasks.separator import Separator
from voxfield.tasks.verification import Verified, verify
from voxfield.tasks.work import Work, engine_for

__all__ = [
    "DEFAULT_MODEL",
    "Embedded",
    "EnhanceOptions",
    "Enhanced",
    "Enhancer",
    "Represented",
    "Separated",
    "Separator",
    "Verified",
    "Work",
    "embed",
    "embedding_engine",
    "engine_for",
    "enhance",
    "enhance_file",
    "enhance_into",
    "represent",
    "represent_into",
    "representing_engine",
    "separate",
    "separate_into",
    "separating_engine",
    "verify",
]

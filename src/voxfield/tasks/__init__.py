"""What a user asks for: enhance a recording, separate its voices."""

from voxfield.tasks.enhancement import DEFAULT_MODEL, Enhanced, EnhanceOptions, enhance, enhance_file, enhance_into
from voxfield.tasks.enhancer import Enhancer
from voxfield.tasks.separation import Separated, separate, separate_into, separating_engine
from voxfield.tasks.separator import Separator
from voxfield.tasks.work import Work, engine_for

__all__ = [
    "DEFAULT_MODEL",
    "EnhanceOptions",
    "Enhanced",
    "Enhancer",
    "Separated",
    "Separator",
    "Work",
    "engine_for",
    "enhance",
    "enhance_file",
    "enhance_into",
    "separate",
    "separate_into",
    "separating_engine",
]

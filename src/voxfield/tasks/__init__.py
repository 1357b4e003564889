"""What a user asks for: enhance a recording, separate its voices."""

from voxfield.tasks.enhance import (
    DEFAULT_MODEL,
    Enhanced,
    EnhanceOptions,
    Work,
    enhance,
    enhance_file,
    enhance_into,
    enhancing_engine,
)
from voxfield.tasks.enhancer import Enhancer
from voxfield.tasks.separate import Separated, SeparateWork, separate, separate_into, separating_engine
from voxfield.tasks.separator import Separator

__all__ = [
    "DEFAULT_MODEL",
    "EnhanceOptions",
    "Enhanced",
    "Enhancer",
    "SeparateWork",
    "Separated",
    "Separator",
    "Work",
    "enhance",
    "enhance_file",
    "enhance_into",
    "enhancing_engine",
    "separate",
    "separate_into",
    "separating_engine",
]

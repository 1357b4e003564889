"""What a user asks for: enhance a recording."""

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

__all__ = [
    "DEFAULT_MODEL",
    "EnhanceOptions",
    "Enhanced",
    "Enhancer",
    "Work",
    "enhance",
    "enhance_file",
    "enhance_into",
    "enhancing_engine",
]

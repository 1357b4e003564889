"""What a user asks for: enhance a recording, separate its voices, tell who speaks and when, turn it into features."""

from voxfield.tasks.diarization import Diarized, diarize
from voxfield.tasks.embedding import Embedded, embed, embedding_engine
from voxfield.tasks.enhancement import DEFAULT_MODEL, Enhanced, EnhanceOptions, enhance, enhance_file, enhance_into
from voxfield.tasks.enhancer import Enhancer
from voxfield.tasks.identification import Identified
from voxfield.tasks.representation import Represented, represent, represent_into, representing_engine
from voxfield.tasks.separation import Separated, separate, separate_into, separating_engine
from voxfield.tasks.separator import Separator
from voxfield.tasks.speaker_book import Enrolled, SpeakerBook
from voxfield.tasks.verification import Verified, verify
from voxfield.tasks.work import Work, engine_for

__all__ = [
    "DEFAULT_MODEL",
    "Diarized",
    "Embedded",
    "EnhanceOptions",
    "Enhanced",
    "Enhancer",
    "Enrolled",
    "Identified",
    "Represented",
    "Separated",
    "Separator",
    "SpeakerBook",
    "Verified",
    "Work",
    "diarize",
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

"""What a user asks for: enhance a recording, separate its voices, tell who speaks and when, turn it into features."""

from voxfield.tasks.book.identification import Identified
from voxfield.tasks.book.speaker_book import Enrolled, SpeakerBook
from voxfield.tasks.diarization.recording import Diarized, diarize
from voxfield.tasks.enhancement.enhancer import Enhancer
from voxfield.tasks.enhancement.live import Live
from voxfield.tasks.enhancement.recording import (
    DEFAULT_MODEL,
    Enhanced,
    EnhanceOptions,
    enhance,
    enhance_file,
    enhance_into,
)
from voxfield.tasks.noises.timeline import Noise, noise
from voxfield.tasks.representation.recording import Represented, represent, represent_into, representing_engine
from voxfield.tasks.separation.recording import Separated, separate, separate_into, separating_engine
from voxfield.tasks.separation.separator import Separator
from voxfield.tasks.speakers.embedding import Embedded, embed, embedding_engine
from voxfield.tasks.speakers.verification import Verified, verify
from voxfield.tasks.spotting.video import Spotted, spot
from voxfield.tasks.tokens.image import image_of, tokenize_image
from voxfield.tasks.tokens.recording import detokenize, tokenize
from voxfield.tasks.tokens.sampling import sample
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
    "Live",
    "Noise",
    "Represented",
    "Separated",
    "Separator",
    "SpeakerBook",
    "Spotted",
    "Verified",
    "Work",
    "detokenize",
    "diarize",
    "embed",
    "embedding_engine",
    "engine_for",
    "enhance",
    "enhance_file",
    "enhance_into",
    "image_of",
    "noise",
    "represent",
    "represent_into",
    "representing_engine",
    "sample",
    "separate",
    "separate_into",
    "separating_engine",
    "spot",
    "tokenize",
    "tokenize_image",
    "verify",
]

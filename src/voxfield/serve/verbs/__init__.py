"""The one table of what can be asked for over HTTP: a new verb is one entry of `VERBS`."""

from voxfield.serve.verbs.noise import NOISE, TOKENS
from voxfield.serve.verbs.representation import REPRESENT
from voxfield.serve.verbs.sound import ENHANCE, SEPARATE
from voxfield.serve.verbs.speakers import DIARIZE, EMBED, IDENTIFY, VERIFY
from voxfield.serve.verbs.verb import Asked, Options, Verb

VERBS = (ENHANCE, SEPARATE, EMBED, VERIFY, DIARIZE, IDENTIFY, NOISE, TOKENS, REPRESENT)

__all__ = ["VERBS", "Asked", "Options", "Verb"]

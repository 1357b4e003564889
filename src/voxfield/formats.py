"""The one list of audio suffixes."""

SUFFIXES = frozenset(  # what is picked up in folders
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"}
)

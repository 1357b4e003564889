"""The lists of suffixes that name sound and images: picked up in folders, read as training data, and written."""

SOUND_FILES = {  # suffix -> format, in libsndfile's words
    ".wav": "WAV",
    ".wave": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".oga": "OGG",
    ".opus": "OGG",
    ".mp3": "MP3",
    ".aif": "AIFF",
    ".aiff": "AIFF",
    ".aifc": "AIFF",
    ".au": "AU",
    ".snd": "AU",
    ".caf": "CAF",
    ".w64": "W64",
    ".rf64": "RF64",
}
CONTAINERS = {  # suffix -> format, in FFmpeg's words; needs the extra [media]
    ".m4a": "ipod",
    ".m4b": "ipod",
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".webm": "webm",
    ".mkv": "matroska",
    ".mka": "matroska",
}
READ_ONLY = {  # suffix -> suffix of a result that is called like its recording
    ".aac": ".m4a",
    ".3gp": ".mp4",
    ".wma": ".wav",
    ".amr": ".wav",
}
SUFFIXES = frozenset(SOUND_FILES) | frozenset(CONTAINERS) | frozenset(READ_ONLY)
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
OTHER_IMAGES = (".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".svg")  # which are not read, and are no sound


def suffix_of(format: str) -> str:
    """The suffix of a format that a user names, such as `flac` or `.FLAC`; empty where none is named."""
    return f".{format.lower().lstrip('.')}" if format else ""


def result_suffix(suffix: str) -> str:
    """What a result is called that is stored as its recording is, as far as that can be written.

    >>> result_suffix(".flac"), result_suffix(".WMA")
    ('.flac', '.wav')
    """
    return READ_ONLY.get(suffix.lower(), suffix)

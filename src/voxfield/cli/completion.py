"""What the shell offers when Tab is pressed."""


def model_names(task: str, incomplete: str) -> list[str]:
    """Short names of the published models for a task, or of all, that begin like this.

    >>> model_names("separate", "c")
    ['conv-tasnet-small']
    """
    from voxfield.cards import cards

    return [card.short_name for card in cards() if task in ("", card.task) and card.short_name.startswith(incomplete)]


def all_models(incomplete: str) -> list[str]:
    """Names of models."""
    return model_names("", incomplete)


def enhancers(incomplete: str) -> list[str]:
    """Names of models that enhance."""
    return model_names("enhance", incomplete)


def separators(incomplete: str) -> list[str]:
    """Names of models that separate."""
    return model_names("separate", incomplete)


def spotters(incomplete: str) -> list[str]:
    """Names of models that score images of optical flow."""
    return model_names("spot", incomplete)


def representers(incomplete: str) -> list[str]:
    """Names of models that turn a recording into frames of features."""
    return model_names("represent", incomplete)


def embedders(incomplete: str) -> list[str]:
    """Names of models that turn a recording into an embedding."""
    return model_names("embed", incomplete)

"""What the shell offers when Tab is pressed."""

from collections.abc import Callable


def models_for(task: str = "") -> Callable[[str], list[str]]:
    """What completes the short name of a published model for a task, or of any.

    >>> models_for("separate")("c")
    ['conv-tasnet-small']
    """

    def names(incomplete: str) -> list[str]:
        from voxfield.cards import cards

        known = (card.short_name for card in cards() if task in ("", card.task))
        return [name for name in known if name.startswith(incomplete)]

    return names

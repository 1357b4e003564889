"""Text of unknown origin, such as a name inside a model file, made safe to print."""


def visible(text: str) -> str:
    r"""The text with every character that a terminal would obey written as an escape.

    >>> print(visible("\x1b[2J名"))
    \x1b[2J名
    """
    from voxfield.cards.card import STEERING

    return STEERING.sub(lambda found: ascii(found[0])[1:-1], text)

"""Cards: what each model is, which file it lives in, and whether that file is the one that was published."""

from voxfield.cards.card import METADATA_KEY, Card, FileRecord, StateShape, example_card
from voxfield.cards.registry import REGISTRY, WEIGHTS, cards, file_record, find, resolve, verify

__all__ = [
    "METADATA_KEY",
    "REGISTRY",
    "WEIGHTS",
    "Card",
    "FileRecord",
    "StateShape",
    "cards",
    "example_card",
    "file_record",
    "find",
    "resolve",
    "verify",
]

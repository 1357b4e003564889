"""Cards: what each model is, which file it lives in, and whether that file is the one that was published."""

from voxfield.cards.card import METADATA_KEY, UNBOUNDED_PAST, WHOLE_INPUT, Card, FileRecord, StateShape, example_card
from voxfield.cards.integrity import file_record, verify
from voxfield.cards.interface import (
    KINDS,
    TIME,
    Interface,
    Layer,
    Port,
    features_to_embedding,
    image,
    samples,
    samples_to_features,
    spectrum,
)
from voxfield.cards.registry import REGISTRY, WEIGHTS, cards, find, lone_file, place, read, resolve

__all__ = [
    "KINDS",
    "METADATA_KEY",
    "REGISTRY",
    "TIME",
    "UNBOUNDED_PAST",
    "WEIGHTS",
    "WHOLE_INPUT",
    "Card",
    "FileRecord",
    "Interface",
    "Layer",
    "Port",
    "StateShape",
    "cards",
    "example_card",
    "features_to_embedding",
    "file_record",
    "find",
    "image",
    "lone_file",
    "place",
    "read",
    "resolve",
    "samples",
    "samples_to_features",
    "spectrum",
    "verify",
]

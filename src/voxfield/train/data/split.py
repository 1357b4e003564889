"""The recordings of a recipe, opened for one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxfield.errors import RecipeError
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.rooms import simulate_rooms
from voxfield.train.data.sources import Clip, read_source, without_held_out
from voxfield.train.recipe import DataConfig


@dataclass(frozen=True)
class Banks:
    """Decoded recordings of one split."""

    speech: AudioBank
    noise: AudioBank | None
    rooms: AudioBank | None  # shared by the splits

    def needed_noise(self) -> AudioBank:
        """The noise.

        Raises:
            RecipeError: there is none.
        """
        if self.noise is None:
            raise RecipeError(
                "data.noise is empty; give folders or manifests of noise: --set 'data.noise=[\"my/noise\"]'"
            )
        return self.noise

    def __str__(self) -> str:
        banks = (("speech", self.speech), ("noise", self.noise), ("rooms", self.rooms))
        return ", ".join(
            f"{len(bank)} recordings of {name} in {len(bank.groups)} groups" for name, bank in banks if bank is not None
        )


def open_banks(data: DataConfig, sample_rate_hz: int, split: str) -> Banks:
    """The banks of a split; what is not decoded yet is decoded.

    Args:
        data: of a recipe.
        sample_rate_hz: of the network.
        split: rows of manifests that name a split must name this one. Recordings of sources without splits are held
            out where it is `data.valid_split`, all of them are taken where it is empty, else the rest.

    Raises:
        RecipeError: no speech is given, or none is clean enough.
        InputError: a source or a recording cannot be read.
    """
    if not data.speech:
        raise RecipeError(
            "data.speech is empty; give folders or manifests of clean speech: --set 'data.speech=[\"my/speech\"]'"
        )
    speech = _clips(data, data.speech, "speech", split)
    clean = [clip for clip in speech if clip.dynamic_db is None or clip.dynamic_db >= data.min_dynamic_db]
    if not clean:
        raise RecipeError(
            f"none of {len(speech)} recordings of speech has {data.min_dynamic_db:g} dB between its loud and quiet "
            "frames; give cleaner speech, or lower data.min_dynamic_db"
        )
    noise = _clips(data, data.noise, "noise", split)
    rooms = [clip for source in data.rooms for clip in read_source(source, "rir")]
    if data.simulated_rooms:
        made = simulate_rooms(Path(data.cache) / f"rooms-{data.simulated_rooms}", data.simulated_rooms, sample_rate_hz)
        rooms += read_source(made, "rir")
    opened = [AudioBank(clips, sample_rate_hz, data.cache) if clips else None for clips in (noise, rooms)]
    return Banks(AudioBank(clean, sample_rate_hz, data.cache), *opened)


def images_of(data: DataConfig, split: str) -> list[Clip]:
    """The files of images of a split, which is taken as `open_banks` takes it.

    Raises:
        RecipeError: none are given.
        InputError: a source cannot be read.
    """
    if not data.images:
        raise RecipeError(
            "data.images is empty; give folders or manifests of images: --set 'data.images=[\"my/photos\"]'"
        )
    return _clips(data, data.images, "image", split)


def _clips(data: DataConfig, sources: Sequence[str], kind: str, split: str) -> list[Clip]:
    found: list[Clip] = []
    for source in sources:
        clips = read_source(source, kind, split, data.speaker_level if kind == "speech" else 0)
        if split and not any(clip.split for clip in clips):
            training, validation = without_held_out(clips)
            clips = validation if split == data.valid_split else training
        found += clips
    return found

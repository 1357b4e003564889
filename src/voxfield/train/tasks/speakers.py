"""Training of speaker embeddings: a crop in, the speaker it is of; the head that names speakers is not exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.features.kaldi import Fbank
from voxfield.features.named import NAMED, features_named
from voxfield.metrics.verification import equal_errors, min_dcf
from voxfield.nn.fbank import FilterBank
from voxfield.nn.margins import PROJECTIONS, AdditiveMargin, ArcMargin, margin_at, sphere_margin
from voxfield.protocols import Array
from voxfield.tasks import embed
from voxfield.tasks.speakers.embedding import unit
from voxfield.train.data.crops import CropConfig, SpeakerCrops, SpeakerSets
from voxfield.train.losses.classifier import Classifier
from voxfield.train.recipe import Recipe
from voxfield.train.tasks.contract import VALIDATION_SEED, Scores, TrainingTask

TARGET_RATE = 0.05  # of the detection cost in validation


@dataclass(frozen=True)
class SpeakersLoss:
    """Cross entropy over the classes under a margin, which grows from 0 between two steps."""

    projection: Literal["softmax", "add_margin", "arc_margin", "sphere"] = "arc_margin"
    scale: float = 32.0
    margin: float = 0.2
    margin_steps: tuple[int, int] = (1000, 3000)  # where it begins and ends to grow
    centres: int = 1  # of each class, of arc_margin
    rivals: int = 0  # nearest other classes that are made more likely, of arc_margin


class SpeakersTask(TrainingTask):
    """Speaker classification on features made of augmented crops; validation by trials of unknown speakers."""

    mix_config = CropConfig
    loss_config = SpeakersLoss
    model_keys = ("features", "embedding")

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        if recipe.train.batch < 2:
            raise RecipeError("[train] batch = 1: two or more are needed, as embeddings are normalised over a batch")
        model = recipe.model
        kind = features_named(model.features, model.bands, model.sample_rate_hz)
        if not isinstance(kind, Fbank):
            raise RecipeError(f"[model] features = '{model.features}': training makes {' or '.join(NAMED)} only")
        self.features = FilterBank(kind)
        self.head = Classifier(_projection(recipe.loss, model.embedding, len(self.mixer.classes)), self.mixer.classes)

    mixer: SpeakerCrops

    def make_mixer(self, mix: CropConfig, seed: int, split: str) -> SpeakerCrops:
        banks = self.banks(split)
        return SpeakerCrops(mix, banks.speech, banks.noise, banks.rooms, self.recipe.model.sample_rate_hz, seed)

    @cached_property
    def validation(self) -> SpeakerSets:
        """Sets of recordings of the speakers held out, as they are."""
        banks = self.banks(self.recipe.data.valid_split)
        return SpeakerSets(banks.speech, self.validation_mix().duration_s, seed=VALIDATION_SEED)

    def validation_mix(self) -> CropConfig:
        return CropConfig(duration_s=3.0)

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        samples, labels = batch
        embeddings = self.run(net, self.augmented(samples))
        margin = self.margin()
        logits = self.head(embeddings, labels, margin)
        return {
            "loss": F.cross_entropy(logits, labels),
            "accuracy": (logits.argmax(1) == labels).float().mean(),
            "margin": logits.new_tensor(margin),
        }

    def margin(self) -> float:
        """The margin at the present step."""
        loss = self.recipe.loss
        if loss.projection == "sphere":
            return sphere_margin(self.step + 1)
        start, stop = loss.margin_steps
        return margin_at(self.step, start + 1, stop + 1, 0.0, loss.margin) if stop > start else float(loss.margin)

    @torch.no_grad()
    def augmented(self, samples: Tensor) -> Tensor:
        """Features (B, bands, T) of crops (B, N), cut to one random duration, with random stretches masked."""
        mix = self.recipe.mix
        shortest = round(mix.shortest_s * self.recipe.model.sample_rate_hz)
        most = int(torch.randint(min(shortest, samples.shape[1]), samples.shape[1] + 1, ()))
        features: Tensor = self.features(samples[:, :most])
        features = features - features.mean(-1, keepdim=True)
        chosen = torch.rand(len(features), 1, 1, device=features.device) < mix.masked
        for axis, widest in ((1, mix.masked_bands), (2, mix.masked_frames)):
            features = features.masked_fill(_stretch(features, axis, widest) & chosen, 0)
        return features

    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """Equal error rate and detection cost over all pairs of a set, by the cosine of what `embed` gives."""
        speakers, *recordings = mixture
        engine = self.engine(net)
        rate_hz = self.recipe.model.sample_rate_hz
        vectors = unit(np.stack([embed(recording, rate_hz, model=engine).vector for recording in recordings]))
        first, second = np.triu_indices(len(vectors), 1)
        scores, targets = (vectors @ vectors.T)[first, second], speakers[first] == speakers[second]
        return {
            "eer": equal_errors(scores, targets).rate,
            "min_dcf": min_dcf(scores, targets, TARGET_RATE),
        }

    def how_scored(self) -> str:
        return f"equal error rate and minDCF at {TARGET_RATE:g} over pairs of recordings; score: less their sum"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return -scores["eer"] - scores["min_dcf"]


def _projection(loss: SpeakersLoss, embedding: int, classes: int) -> nn.Module:
    if loss.projection == "arc_margin":
        return ArcMargin(embedding, classes, loss.scale, centres=loss.centres, rivals=loss.rivals)
    if loss.projection == "add_margin":
        return AdditiveMargin(embedding, classes, loss.scale)
    projection: nn.Module = PROJECTIONS[loss.projection](embedding, classes)
    return projection


def _stretch(features: Tensor, axis: int, widest: int) -> Tensor:
    """True over a random stretch of an axis, of another place and width in each row."""
    count, size = len(features), features.shape[axis]
    widths = torch.randint(0, min(widest, size) + 1, (count, 1), device=features.device)
    starts = (torch.rand(count, 1, device=features.device) * (size - widths + 1)).long()
    places = torch.arange(size, device=features.device)
    inside = (places >= starts) & (places < starts + widths)
    return inside[:, :, None] if axis == 1 else inside[:, None]

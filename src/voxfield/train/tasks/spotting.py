"""Training of MEAN_Spot (Liong, See & Chan, 2023): an image of flow in, whether an expression is under way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.errors import CheckpointError, RecipeError
from voxfield.metrics.spotting import Spots, spots
from voxfield.protocols import Array
from voxfield.tasks.spotting.peaks import expressions_in
from voxfield.tasks.spotting.video import centred
from voxfield.train import checkpoint
from voxfield.train.data.expressions import Labelled, made, read_videos
from voxfield.train.data.flow_bank import FlowClip, flow_clips
from voxfield.train.recipe import Recipe, from_dict
from voxfield.train.tasks.contract import Scores, TrainingTask
from voxfield.train.tasks.named import task_class
from voxfield.video.made_faces import VARIED

_VALID_FROM, _TEST_FROM = 1_000_000, 2_000_000  # numbers of made clips that training never sees


@dataclass(frozen=True)
class SpotMix:
    """Which videos, and how pairs of frames are drawn from them."""

    videos: tuple[str, ...] = ()  # folders, see `voxfield.train.data.expressions`; without any, made clips
    kind: Literal["", "micro", "macro"] = ""  # of the expressions in them
    left_out: str = ""  # subject to validate on; without one every fifth subject
    made_clips: int = 80
    made_valid_clips: int = 16
    lasts_s: float = 0.4  # of an expression, about; frames half as far apart are compared
    positives: float = 0.35  # share of pairs from expressions
    mirrored: float = 0.5

    @property
    def duration_s(self) -> float:
        """Of what an item shows."""
        return self.lasts_s / 2


@dataclass(frozen=True)
class SpotLoss:
    """Mean squared error, as in the paper, with its weight decay on the kernels alone."""

    l2: float = 1e-3
    l2_merge: float = 1e-2


def split(clips: Sequence[Labelled], left_out: str = "") -> tuple[list[Labelled], list[Labelled]]:
    """(training, validation), no subject in both.

    Raises:
        RecipeError: nobody is left on one side.
    """
    subjects = sorted({clip.subject for clip in clips})
    if left_out and left_out not in subjects:
        raise RecipeError(f"[mix] left_out = '{left_out}': there is no such subject; there are {', '.join(subjects)}")
    out = {left_out} if left_out else {*subjects[4::5]} or {*subjects[-1:]}
    parts = [clip for clip in clips if clip.subject not in out], [clip for clip in clips if clip.subject in out]
    if not all(parts):
        raise RecipeError(
            f"[mix] left_out = '{left_out}': two subjects or more are needed, there are {', '.join(subjects)}"
        )
    return parts


class PairsOfFrames:
    """`mix(epoch, index) -> (image (3, 42, 42) float32, label () float32)`."""

    def __init__(self, clips: Sequence[FlowClip], mix: SpotMix, seed: int) -> None:
        self.mix_config, self.seed, self.clips = mix, seed, clips
        places = [(number, at, label) for number, clip in enumerate(clips) for at, label in enumerate(clip.labels)]
        self.places = [np.array([(n, at) for n, at, label in places if label == which]) for which in (False, True)]
        if not all(map(len, self.places)):
            raise RecipeError(
                "training to spot needs frames in which something happens, and frames in which nothing does"
            )

    def mix(self, epoch: int, index: int) -> tuple[Array, Array]:
        rng = np.random.default_rng((self.seed, epoch, index))
        label = bool(rng.random() < self.mix_config.positives)
        number, at = self.places[label][rng.integers(len(self.places[label]))]
        image = self.clips[number].images[at].astype(np.float32)
        if rng.random() < self.mix_config.mirrored:
            image = np.ascontiguousarray(image[:, :, ::-1])
            image[0] *= -1  # to the left is now to the right
        return image, np.array(label, np.float32)


class WholeClips:
    """`mix(0, index) -> (images, frames, [count, rate_hz, apart], intervals)`, one video after the other."""

    def __init__(self, clips: Sequence[FlowClip]) -> None:
        self.clips = clips

    def mix(self, epoch: int, index: int) -> tuple[Array, ...]:
        clip = self.clips[index % len(self.clips)]
        facts = np.array([clip.count, clip.rate_hz, clip.apart])
        return clip.images.astype(np.float32), clip.frames, facts, np.array(clip.clip.intervals).reshape(-1, 2)


class SpotTask(TrainingTask):
    """Regression of pairs of frames; validation by F1 of whole videos, through the intervals that users get."""

    mix_config = SpotMix
    loss_config = SpotLoss
    model_keys = ("streams",)

    def __init__(self, recipe: Recipe) -> None:
        mix = recipe.mix
        if mix.videos:
            every = [clip for folder in mix.videos for clip in read_videos(folder, mix.kind)]
            train, valid = split(every, mix.left_out)
        else:
            train, valid = made(mix.made_clips, 0, VARIED), made(mix.made_valid_clips, _VALID_FROM, VARIED)
        self._parts = {"train": train, "valid": valid}
        super().__init__(recipe)

    def make_mixer(self, mix: SpotMix, seed: int, split: str) -> PairsOfFrames:
        return PairsOfFrames(self._clips("train"), mix, seed)

    @cached_property
    def validation(self) -> WholeClips:
        """Videos of other subjects, whole."""
        return WholeClips(self._clips("valid"))

    def validation_mix(self) -> SpotMix:
        mix: SpotMix = self.recipe.mix
        return mix

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        images, labels = batch
        error = F.mse_loss(self.run(net, images)[:, 0], labels)
        kernels = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        merge = [m for m in net.get_submodule("merge").modules() if isinstance(m, nn.Conv2d)][:1]
        loss = self.recipe.loss
        decay = sum((loss.l2_merge if m in merge else loss.l2) * m.weight.square().sum() for m in kernels)
        return {"loss": error + decay, "error": error}

    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        images, frames, (count, rate_hz, apart), intervals = mixture
        engine = self.engine(net)
        scores = np.full(int(count), np.nan, np.float32)
        scores[frames] = engine.step(images, ())[0][:, 0]
        found = expressions_in(centred(scores, int(apart)), rate_hz, int(apart))
        hits = spots([(a, b) for a, b in intervals], [(one.onset_s, one.offset_s) for one in found])
        return {name: float(value) for name, value in hits._asdict().items()}

    def how_scored(self) -> str:
        return "intervals found, invented and missed a video, at an overlap of half; score: their F1"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return Spots._make(scores[name] for name in Spots._fields).f1

    def _clips(self, which: str) -> list[FlowClip]:
        return flow_clips(self._parts[which], self.recipe.mix.lasts_s, self.recipe.data.cache)


def subject_spots(path: Path) -> Spots:
    """Right and wrong intervals of the averaged weights of a checkpoint on all videos of its validation.

    Raises:
        CheckpointError: it cannot be read, or is of another task.
    """
    parts, about = checkpoint.load(path)
    recipe = from_dict(about["recipe"])
    task = task_class(recipe.task)(recipe)
    if not isinstance(task, SpotTask):
        raise CheckpointError(f"{path} is of the task '{recipe.task}', not of 'spot'")
    net = task.network().eval()
    checkpoint.restore(net, parts["ema"], str(path))
    rows = [task.score(net, task.validation.mix(0, number)) for number in range(len(task.validation.clips))]
    return Spots(*(round(sum(row[name] for row in rows)) for name in Spots._fields))

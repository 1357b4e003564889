"""Training of tokens of images: cuts of photographs in and out of a VQ-VAE-2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.metrics.images import psnr_db
from voxfield.protocols import Array
from voxfield.train.data.images import CutConfig, Cuts, ImageBank
from voxfield.train.data.split import images_of
from voxfield.train.recipe import Recipe
from voxfield.train.tasks.contract import Scores, TrainingTask, batch_of_one
from voxfield.train.tasks.tokens import rebuilding


@dataclass(frozen=True)
class ImagesLoss:
    """Weights of the parts."""

    rebuilt: float = 1.0  # mean square of the difference, from -1 to 1
    codebooks: float = 1.0


class ImagesTask(TrainingTask):
    """Cuts on the fly; the difference of images, and what the codebooks add."""

    mix_config = CutConfig
    loss_config = ImagesLoss
    model_keys = ("image_channels", "image_px")

    def __init__(self, recipe: Recipe) -> None:
        model = recipe.model
        if getattr(model, "bands", 0):
            raise RecipeError("the task 'images' needs a network of images: [model] bands = 0")
        if hasattr(model, "stride") and recipe.mix.cut_px % model.stride:
            raise RecipeError(f"[mix] cut_px = {recipe.mix.cut_px}: a multiple of {model.stride} is needed")
        super().__init__(recipe)

    def make_mixer(self, mix: CutConfig, seed: int, split: str) -> Cuts:
        data, channels = self.recipe.data, self.recipe.model.image_channels
        return Cuts(mix, ImageBank(images_of(data, split), data.cache), channels, seed)

    def validation_mix(self) -> CutConfig:
        return replace(VALIDATION, cut_px=self.recipe.model.image_px)

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        return rebuilding(self, net, batch, lambda rebuilt: {"psnr_db": 10 * (4 / rebuilt).log10()})

    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """Nearness of a rebuilt cut of the size that the network is exported for."""
        x = batch_of_one(net, mixture[0])
        made, wanted = (_from_0_to_1(one) for one in (net(x)[0].cpu().numpy(), mixture[0]))
        return {"psnr_db": min(psnr_db(made, wanted), 100.0)}

    def how_scored(self) -> str:
        return "score = psnr_db, of rebuilt images"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return scores["psnr_db"]


VALIDATION = CutConfig(mirrored=0, recoloured=0, grey=0)


def _from_0_to_1(image: Array) -> Array:
    clipped: Array = np.clip((image + 1) / 2, 0, 1)
    return clipped

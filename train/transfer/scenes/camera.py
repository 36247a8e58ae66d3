"""Training photos as the camera will show their objects, and images of none of the classes, which it will also show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge_runtime.pixels.preprocess import Image
from train.recipes.transfer_config import TransferRecipe
from train.transfer.scenes.backgrounds import Backgrounds
from train.transfer.scenes.light import Light, relight
from train.transfer.scenes.out_of_distribution import draw_out_of_distribution
from train.transfer.scenes.placing import place, turn
from train.transfer.scenes.varying import crop_randomly, vary, vary_light

# A photo that is shown smaller keeps at least this share of its area: the object must stay whole.
LEAST_AREA_PLACED = 0.6
TURNED_SHARE = 0.15


@dataclass(frozen=True)
class Camera:
    """Shows photos in frames of ``height`` x ``width``; ``mirrored`` when the mirror image is the same thing.

    ``squeezed`` when a whole frame becomes the input whatever its shape, so that things get narrower or wider.
    """

    height: int
    width: int
    recipe: TransferRecipe
    backgrounds: Backgrounds
    mirrored: bool
    squeezed: bool = True
    light: Light = field(default_factory=Light)

    def show(self, photo: Image, aspect: float, rng: np.random.Generator) -> Image:
        """The (height, width, 3) uint8 RGB view of a ``photo`` whose width was ``aspect`` times its height."""
        if rng.random() < self.recipe.placed:
            part = crop_randomly(photo, LEAST_AREA_PLACED, rng)
            if self.mirrored and rng.random() < 0.5:
                part = part[:, ::-1]
            shape = aspect if self.squeezed else None
            view = place(part, shape, self.height, self.width, self.backgrounds, rng)
            view = vary_light(view, self.recipe.jitter, rng)
        else:
            view = vary(photo, self.height, self.width, self.recipe, rng, mirrored=self.mirrored)
        if self.recipe.placed and rng.random() < TURNED_SHARE:
            view = turn(view, rng)
        return relight(view, self.light, rng) if self.recipe.placed else view

    def place(self, photo: Image, aspect: float, rng: np.random.Generator) -> Image:
        """The (height, width, 3) uint8 RGB view that always shows the photo smaller, in other light."""
        shape = aspect if self.squeezed else None
        return relight(place(photo, shape, self.height, self.width, self.backgrounds, rng), self.light, rng)

    def show_out_of_distribution(self, photo: Image, rng: np.random.Generator) -> Image:
        """A (height, width, 3) uint8 RGB image of none of the classes; ``photo`` is one of a class."""
        return relight(draw_out_of_distribution(photo, self.height, self.width, self.backgrounds, rng), self.light, rng)

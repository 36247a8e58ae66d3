"""A camera's view of a photo: the photo before a background, in some light; never larger, never another class's photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.pixels.preprocess import Image
from train.recipes.transfer_config import transfer, with_changes
from train.transfer.scenes import out_of_distribution
from train.transfer.scenes.backgrounds import (
    Backgrounds,
    draw_gradient,
    draw_heap,
    draw_plain,
    draw_texture,
)
from train.transfer.scenes.camera import Camera
from train.transfer.scenes.light import Light, relight
from train.transfer.scenes.out_of_distribution import draw_out_of_distribution, draw_thing, shuffle_tiles
from train.transfer.scenes.placing import LEAST_SIDE, choose_box, place, turn

OFF = Light(colour=0, darkness=0, blur=0, noise=0, jpeg=0)
PHOTOS = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def backgrounds() -> Backgrounds:
    return Backgrounds(64, PHOTOS, [], 0)


def pink() -> Image:
    return np.broadcast_to(np.array([255, 0, 200], np.uint8), (80, 80, 3)).copy()


def is_pink(view: Image) -> np.ndarray:
    return (np.abs(view.astype(int) - [255, 0, 200]) < 3).all(axis=2)


@pytest.mark.parametrize("draw", [draw_plain, draw_gradient])
def test_grounds_have_the_size_that_was_asked_for(draw) -> None:  # type: ignore[no-untyped-def]
    background = draw(30, 50, rng())
    assert (background.shape, background.dtype) == ((30, 50, 3), np.uint8)


@pytest.mark.parametrize("draw", [draw_texture, draw_heap])
def test_drawn_grounds_have_detail_and_differ(draw) -> None:  # type: ignore[no-untyped-def]
    first, second = draw(64, rng(1)), draw(64, rng(2))
    assert (first.shape, first.dtype) == ((64, 64, 3), np.uint8)
    assert first.std() > 5
    assert np.abs(first.astype(int) - second).mean() > 5


def test_the_same_generator_draws_the_same_ground(backgrounds: Backgrounds) -> None:
    for seed in range(12):
        np.testing.assert_array_equal(backgrounds.draw(40, 48, rng(seed)), backgrounds.draw(40, 48, rng(seed)))


def test_the_empty_scene_of_the_user_is_half_of_what_lies_behind() -> None:
    empty = np.full((50, 50, 3), (1, 2, 3), np.uint8)
    backgrounds = Backgrounds(64, PHOTOS, [empty], 0)
    generator = rng(5)
    shown = [bool((backgrounds.draw(20, 20, generator) == (1, 2, 3)).all()) for _ in range(300)]
    assert 0.4 < np.mean(shown) < 0.6
    assert Backgrounds(64, PHOTOS, [], 0).draw_empty_scene(20, 20, rng()) is None


def test_a_frame_that_is_squeezed_into_a_square_makes_things_narrower() -> None:
    boxes = np.array([choose_box(0.75, 160, 160, rng(seed)) for seed in range(400)])
    assert (boxes >= 8).all() and (boxes <= 160).all()
    rows, columns = boxes.T
    assert np.median(columns / rows) == pytest.approx(0.75 / (4 / 3), abs=0.06)
    assert rows.max() == 160, "some touch the frame's edges"
    assert rows.min() >= 0.3 * LEAST_SIDE * 160


def test_where_a_frame_keeps_its_proportions_things_do_too() -> None:
    boxes = np.array([choose_box(None, 160, 160, rng(seed)) for seed in range(200)])
    assert np.median(boxes[:, 1] / boxes[:, 0]) == pytest.approx(1, abs=0.05)


def test_the_photo_is_whole_in_the_frame(backgrounds: Backgrounds) -> None:
    for seed in range(20):
        view = place(pink(), 1.0, 64, 96, backgrounds, rng(seed))
        found = np.argwhere(is_pink(view))
        assert view.shape == (64, 96, 3)
        rows, columns = np.ptp(found, axis=0) + 1
        assert len(found) >= 0.98 * rows * columns, "one rectangle of the photo"
        assert rows * columns > 0.03 * 64 * 96


def test_turning_keeps_the_size_and_fills_the_corners_with_the_edges_colour() -> None:
    image = np.full((60, 60, 3), 90, np.uint8)
    image[20:40, 20:40] = 200
    out = turn(image, rng(2))
    assert out.shape == image.shape
    assert np.abs(out[:3].astype(int) - 90).max() <= 1
    assert not np.array_equal(out, image)


def test_no_light_leaves_the_image_as_it_is() -> None:
    image = PHOTOS[0]
    np.testing.assert_array_equal(relight(image, OFF, rng()), image)


@pytest.mark.parametrize("effect", ["colour", "darkness", "blur", "noise", "jpeg"])
def test_each_effect_changes_the_image_and_the_same_generator_alike(effect: str) -> None:
    light = Light(**{**vars(OFF), effect: 1.0})
    image = np.full((160, 160, 3), 120, np.uint8)
    image[40:100, 30:110] = (200, 60, 20)
    out = relight(image, light, rng(4))
    assert (out.shape, out.dtype) == (image.shape, np.uint8)
    assert not np.array_equal(out, image)
    np.testing.assert_array_equal(out, relight(image, light, rng(4)))
    if effect == "noise":
        assert 1 < (out[:30].astype(int) - 120).std() < 20
    if effect == "blur":
        np.testing.assert_array_equal(out[:20], image[:20])


def test_foreign_images_have_no_photo_as_it_is(backgrounds: Backgrounds) -> None:
    for seed in range(30):
        out = draw_out_of_distribution(pink(), 64, 64, backgrounds, rng(seed))
        assert (out.shape, out.dtype) == ((64, 64, 3), np.uint8)
    assert draw_thing(64, 64, backgrounds, rng(1)).std() > 0


def test_two_in_five_foreign_images_are_of_real_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    black = Backgrounds(64, np.zeros((20, 32, 32, 3), np.uint8), [], 0)
    drawn = []
    for name in ("draw_photos", "draw"):
        kept = getattr(black, name)
        monkeypatch.setattr(black, name, lambda *given, kept=kept, name=name: drawn.append(name) or kept(*given))
    monkeypatch.setattr(out_of_distribution, "draw_thing", lambda height, width, backgrounds, rng: pink())
    generator = rng()
    views = [draw_out_of_distribution(pink(), 64, 64, black, generator) for _ in range(300)]
    assert all(view.shape[2] == 3 for view in views)
    assert 0.34 < drawn.count("draw_photos") / 300 < 0.46 and 0.1 < drawn.count("draw") / 300 < 0.2


def test_shuffled_tiles_are_the_images_own_in_other_places() -> None:
    image = np.repeat(np.repeat(np.arange(36, dtype=np.uint8).reshape(6, 6, 1), 20, 0), 20, 1).repeat(3, axis=2)
    out = shuffle_tiles(image, rng(0))
    assert out.shape == image.shape
    assert np.sort(out.ravel()).tolist() == np.sort(image.ravel()).tolist()
    assert not np.array_equal(out, image)


def camera(backgrounds: Backgrounds, **changes: object) -> Camera:
    return Camera(
        64, 64, with_changes(transfer("tiny"), {"jitter": 0.0, **changes}), backgrounds, mirrored=False, light=OFF
    )


def test_the_share_of_placed_views_is_the_recipes(backgrounds: Backgrounds) -> None:
    generator = rng(3)
    views = [camera(backgrounds, placed=0.5).show(pink(), 1.0, generator) for _ in range(150)]
    whole = np.mean([is_pink(view).mean() > 0.95 for view in views])
    assert 0.4 < whole < 0.65
    assert all(is_pink(camera(backgrounds, placed=0.0).show(pink(), 1.0, generator)).all() for _ in range(20))


def test_what_is_placed_is_mirrored_only_when_that_is_the_same_thing(backgrounds: Backgrounds) -> None:
    half = pink()
    half[:, :40] = (0, 255, 0)

    def green_is_left(view: Image) -> bool:
        return bool(
            np.argwhere((view == (0, 255, 0)).all(axis=2))[:, 1].mean() < np.argwhere(is_pink(view))[:, 1].mean()
        )

    fixed = camera(backgrounds, placed=1.0)
    assert all(green_is_left(fixed.show(half, 1.0, rng(seed))) for seed in range(30))
    either = Camera(64, 64, fixed.recipe, backgrounds, mirrored=True, light=OFF)
    assert 0.2 < np.mean([green_is_left(either.show(half, 1.0, rng(seed))) for seed in range(60)]) < 0.8


def test_photos_are_enlarged_in_several_ways_so_that_no_way_tells_them_from_the_classes(
    monkeypatch: pytest.MonkeyPatch, backgrounds: Backgrounds
) -> None:
    ways = []
    resize = cv2.resize
    monkeypatch.setattr(cv2, "resize", lambda *given, interpolation: ways.append(interpolation) or resize(*given))
    generator = rng(2)
    for _ in range(60):
        backgrounds.draw_photos(64, 64, generator)
    counts = [ways.count(way) for way in (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)]
    assert sum(counts) == len(ways) and min(counts) > 8

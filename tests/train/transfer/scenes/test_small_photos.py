"""Small photos show anything but what the user's own classes are called, in whichever language."""

from __future__ import annotations

import numpy as np
import pytest

from train.datasets.cifar10_mini import LABELS, PER_CLASS
from train.transfer.scenes.backgrounds import Backgrounds
from train.transfer.scenes.small_photos import list_known, load_small_photos


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        (["mug", "pen", "t-shirt"], set()),
        (["cat", "dog"], {"cat", "dog"}),
        (["Hunde", "Katzen", "Vögel"], {"cat", "dog", "bird"}),
        (["pájaros", "CAMIÓN"], {"bird", "truck"}),
        (["sports_car", "school bus"], {"automobile"}),
        (["黑猫", "강아지"], {"cat", "dog"}),
        (["кошка", "машина"], {"cat", "automobile"}),
        (["scarf", "carpet", "catalogue", "household"], set()),
        (["PET", "AnkleBoot", "mince_pies", "traffic light", "马克杯", "양말", "blood vessel"], set()),
        (["машины", "vehículos", "schepen", "ducks"], {"airplane", "automobile", "ship", "truck", "bird"}),
        (["animals", "plants"], {"bird", "cat", "deer", "dog", "frog", "horse"}),
        (["robin", "blue_tit", "woodpecker", "nobody"], {"bird"}),
        (["Kohlmeise", "Rotkehlchen"], {"bird"}),
        (["golden retriever", "GermanShepherd"], {"dog"}),
        (["toyota_corolla", "pickup"], {"automobile", "truck"}),
        (["KAYAK", "paddle"], {"ship"}),
        (["star", "boxer shorts", "car_seat_cover"], {"automobile"}),
        (["vehicle", "empty road"], {"airplane", "automobile", "ship", "truck"}),
    ],
)
def test_labels_name_classes_of_the_small_photos_in_many_languages(labels: list[str], known: set[str]) -> None:
    assert list_known(labels) == known


def test_no_label_of_clothes_fruit_or_tools_is_taken_for_an_animal_or_a_vehicle() -> None:
    labels = (
        "dress hat longsleeve outwear pants shirt shoes shorts skirt boots boxer mules bomber apple banana orange pear "
        "kiwi mango grape hammer pliers screwdriver crane wrench saw drill bolt nut mug cup plate bottle fork rock "
        "paper scissors star circle square triangle kite turkey mouse keyboard monitor chair sofa table lamp seat"
    )
    assert [label for label in labels.split() if list_known([label])] == []


def test_the_photos_are_all_embedded_training_images_but_those_of_the_users_own_classes() -> None:
    everything, some = load_small_photos(["mug", "pen"]), load_small_photos(["frogs", "mug"])
    assert (everything.shape, everything.dtype) == ((len(LABELS) * PER_CLASS["train"], 32, 32, 3), np.uint8)
    frogs = slice(LABELS.index("frog") * PER_CLASS["train"], (LABELS.index("frog") + 1) * PER_CLASS["train"])
    np.testing.assert_array_equal(some, np.delete(everything, frogs, axis=0))


def test_where_the_labels_name_everything_the_backgrounds_are_drawn() -> None:
    none = load_small_photos(["animal", "vehicle"])
    assert none.shape == (0, 32, 32, 3)
    backgrounds, rng = Backgrounds(64, none, [], 0), np.random.default_rng(0)
    frames = [draw(40, 48, rng) for draw in (backgrounds.draw, backgrounds.draw_photos) for _ in range(12)]
    assert {frame.shape for frame in frames} == {(40, 48, 3)}
    assert min(float(frame.std()) for frame in frames[12:]) > 1, "what stands for photos has a texture"

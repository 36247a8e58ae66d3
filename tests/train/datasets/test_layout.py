"""Public layouts of photo sets, as toys: the right classes and splits, or a refusal that says how.

Each toy is a list of places that hold images; a name with a dot is another file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import DataError
from train.datasets.image_files import find_files, list_folders
from train.datasets.layout import find_layout
from train.datasets.layout.split_names import split_named


def lay_out(root: Path, *places: str) -> Path:
    for place in places:
        path = root / place
        if not path.suffix:
            path = path / "a.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def product(outer: str, inner: str) -> list[str]:
    return [f"{one}/{other}" for one in outer.split() for other in inner.split()]


# places -> the folders of each split below the root
READ = {
    "classes": ("cat dog", {"train": "."}),
    "classes, licence": ("cat dog LICENSE.txt readme.md", {"train": "."}),
    "classes in one folder": ("set/cat set/dog", {"train": "set"}),
    "classes in two folders": ("a/set/cat a/set/dog a/set/notes.txt", {"train": "a/set"}),
    "archive of a Mac": ("set/cat set/dog __MACOSX/set/cat __MACOSX/set/dog", {"train": "set"}),
    "network disk": ("cat dog @eaDir/cat", {"train": "."}),
    "notebook": ("cat dog .ipynb_checkpoints/cat", {"train": "."}),
    "train and val": (product("train val", "cat dog"), {"train": "train", "validation": "val"}),
    "three splits": (product("train valid test", "cat dog"), {"train": "train", "validation": "valid", "test": "test"}),
    "capitals": (product("Training Validation Testing", "cat dog"),
                 {"train": "Training", "validation": "Validation", "test": "Testing"}),
    "sets": (product("training_set test_set", "cats dogs"), {"train": "training_set", "test": "test_set"}),
    "twice": (product("seg_train/seg_train seg_test/seg_test", "sea street"),
              {"train": "seg_train/seg_train", "test": "seg_test/seg_test"}),
    "years": (product("train2017 val2017", "cat dog"), {"train": "train2017", "validation": "val2017"}),
    "images in front": (product("images_train images_val", "cat dog"),
                        {"train": "images_train", "validation": "images_val"}),
    "splits in a folder": (product("chest_xray/train chest_xray/val chest_xray/test", "NORMAL PNEUMONIA"),
                           {"train": "chest_xray/train", "validation": "chest_xray/val", "test": "chest_xray/test"}),
    "blank in the name": (["Train Data/cat", "Train Data/dog", "Test Data/cat", "Test Data/dog"],
                          {"train": "Train Data", "test": "Test Data"}),
    "classes by place": ("dog/poodle dog/beagle cat/siamese cat/manx", {"train": "."}),
    "a class called train": ("bus car train", {"train": "."}),
    "a class called test tube": ("beaker test_tube", {"train": "."}),
    "classes called mask": ("mask no_mask", {"train": "."}),
    "images within each class": (product("cat dog cow", "images"), {"train": "."}),
    "German splits": (product("Training Validierung Test", "Hund Katze"),
                      {"train": "Training", "validation": "Validierung", "test": "Test"}),
    "Chinese splits": (product("训练集 测试集", "狗 猫"), {"train": "训练集", "test": "测试集"}),
    "many classes": ([f"{i:03}" for i in range(102)], {"train": "."}),
}  # fmt: skip
REFUSED = {
    "no train": (product("val test", "cat dog"), r"has test/, val/, but no train/.*--train DIR --validation DIR"),
    "unusual names": (product("fold_a fold_b", "cat dog"), r"come again elsewhere.*--train DIR"),
    "query and gallery": (product("query gallery", "cat dog"), r"looks like splits or a wrapper.*--train DIR"),
    "copy inside": ("cat dog set/cat set/dog", r"has cat/, dog/, set/, and the folders in set/ \(cat, dog\)"),
    "splits inside classes": (product("cat dog", "train test"), r"Each class in .* has its own test, train; expected"),
    "classes beside": ([*product("train test", "cat dog"), "cat"], r"has test/, train/ and also cat/"),
    "both spellings": (product("train val validation", "cat dog"), r"has both val/ and validation/; expected one"),
    "annotations": ("images annotations/trimaps", r"annotations/, which look like images and their annotations"),
    "masks": ("Images Masks", r"Images/ and Masks/, which look like images"),
    "labels": ([*product("images labels", "train val")], r"images/ and labels/, which look like images"),
    "flat splits in Spanish": ("entrenamiento prueba", r"entrenamiento/, prueba/ in .* hold images without class"),
    "flat splits in Russian": ("обучение тест", r"обучение/, тест/ in .* hold images without class"),
    "domains of pairs": ("trainA trainB testA testB", r"testA/, testB/, trainA/, trainB/ in .* hold images without"),
    "splits beside a sample": ("archive/train/cat archive/train/dog sample", r"archive/ holds splits of its own.*Give"),
    "flat splits": ("train val", r"train/, val/ in .* hold images without class directories"),
    "flat test": ([*product("train", "cat dog"), "test"], r"test/ in .* hold images without class directories"),
    "a table of labels": ("a.jpg b.jpg labels.csv", r"labels\.csv, which may hold their labels; expected one"),
    "sides": (product("left right", "indoor outdoor"), r"\(indoor, outdoor\) come again elsewhere"),
}


def places(given: str | list[str]) -> list[str]:
    return given.split() if isinstance(given, str) else given


@pytest.mark.parametrize("name", list(READ))
def test_a_known_layout_gives_its_splits(tmp_path: Path, name: str) -> None:
    given, splits = READ[name]
    found = find_layout(lay_out(tmp_path, *places(given)))
    assert found == {split: tmp_path / place for split, place in splits.items()}
    assert all(len(list_folders(path)) >= 2 for path in found.values())


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_could_be_meant_in_two_ways_is_refused(tmp_path: Path, name: str) -> None:
    given, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        find_layout(lay_out(tmp_path, *places(given)))


def test_folders_of_other_purposes_are_passed_over(tmp_path: Path) -> None:
    lay_out(tmp_path, *product("train test", "cat dog"), "background")
    assert set(find_layout(tmp_path, ignored=("background",))) == {"train", "test"}


def test_a_name_of_two_splits_is_none() -> None:
    assert split_named("train_val_list") is None and split_named("trainval") == "train"
    assert split_named("Val 2017") == "validation" and split_named("restaurant") is None


def test_what_programs_keep_for_themselves_is_hidden_at_any_depth(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        "cat",
        "cat/.thumbnails",
        "cat/x/@eaDir/y",
        "cat/.trash/z",
        "cat/x/.ipynb_checkpoints",
        "cat/__MACOSX/x",
    )
    images, others = find_files(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in images] == ["cat/a.jpg"] and others == []


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Trainingsdaten", "train"), ("Validierung", "validation"), ("Testbilder", "test"), ("Entraînement", "train"),
        ("validación", "validation"), ("prueba", "test"), ("Treino", "train"), ("eğitim", "train"), ("训练集", "train"),
        ("測試", "test"), ("検証データ", "validation"), ("テスト", "test"), ("훈련", "train"), ("обучение", "train"),
        ("اختبار", "test"), ("trainA", "train"), ("testB", "test"), ("hold-out", "test"), ("Hold_Out", "test"),
        ("训练验证", None), ("Zug", None), ("тесто", None), ("attestation", None), ("trainer", None), ("TRAIN", "train"),
        ("VALIDACIÓN", "validation"), ("ENTRAÎNEMENT", "train"), ("EĞİTİM", "train"), ("数据Train", "train"),
        ("データTest", "test"), ("데이터Train", "train"), ("بياناتTrain", "train"), ("XMLTest", None),
    ],
)  # fmt: skip
def test_a_split_is_known_in_many_languages(name: str, split: str | None) -> None:
    assert split_named(name) == split

"""Public photo sets as their pages and archives lay them out, as toys: the right classes and splits, or a refusal that
says how.

The layouts are those of the sets' own READMEs, of their Kaggle pages ("Data Explorer"), of TensorFlow Datasets and of
torchvision; a name with a suffix is another file. What is invented is called so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import DataError
from tests.train.datasets.test_layout import lay_out
from train.datasets.image_files import list_folders
from train.datasets.layout import find_layout

THREE = {"train": "train", "validation": "valid", "test": "test"}
FLAT = r"hold images without class directories; expected one directory per class in each split"
SAY = r"Say which folder is what with --train DIR --validation DIR --test DIR"
NOTES = r"look like images and their annotations and not like classes"
TABLE = r"may hold their labels"

# name: (places, splits or refusal, the classes of training)
READ: dict[str, tuple[str, dict[str, str], str]] = {
    "Imagenette (fast.ai)": ("i2/{train,val}/{n0,n1} i2/noisy_imagenette.csv", {"train": "i2/train", "validation": "i2/val"}, "n0 n1"),
    "flower_photos (TensorFlow)": ("flower_photos/{daisy,roses,tulips} flower_photos/LICENSE.txt", {"train": "flower_photos"}, "daisy roses tulips"),
    "cats_and_dogs_filtered": ("c/{train,validation}/{cats,dogs} c/vectorize.py", {"train": "c/train", "validation": "c/validation"}, "cats dogs"),
    "hymenoptera_data (PyTorch)": ("h/{train,val}/{ants,bees}", {"train": "h/train", "validation": "h/val"}, "ants bees"),
    "Caltech-101": ("c/101_ObjectCategories/{ant,bass,BACKGROUND_Google} c/Annotations/{ant,bass}/a.mat c/show_annotation.m",
                    {"train": "c/101_ObjectCategories"}, "BACKGROUND_Google ant bass"),
    "Caltech-256": ("256_ObjectCategories/{001.ak47,257.clutter}", {"train": "256_ObjectCategories"}, "001.ak47 257.clutter"),
    "CUB-200-2011": ("C/images/{001.A,002.B} C/attributes/a.txt C/parts/parts.txt C/images.txt attributes.txt", {"train": "C/images"}, "001.A 002.B"),
    "Stanford Dogs": ("Images/{n1-Chihuahua,n2-Spaniel} Annotation/{n1-Chihuahua,n2-Spaniel}/n_1.xml lists/train_list.mat",
                      {"train": "Images"}, "n1-Chihuahua n2-Spaniel"),
    "Food-101": ("food-101/images/{apple_pie,waffles} food-101/meta/classes.txt food-101/README.txt", {"train": "food-101/images"}, "apple_pie waffles"),
    "DTD": ("dtd/images/{banded,dotted} dtd/imdb/imdb.mat dtd/labels/train1.txt", {"train": "dtd/images"}, "banded dotted"),
    "PetImages (Microsoft)": ("PetImages/{Cat,Dog} readme[1].txt", {"train": "PetImages"}, "Cat Dog"),
    "TrashNet": ("dataset-resized/{glass,metal} dataset-resized/.DS_Store __MACOSX/dataset-resized/glass", {"train": "dataset-resized"}, "glass metal"),
    "Garbage classification (Kaggle)": ("G/G/{glass,metal} one-indexed-files.txt zero-indexed-files.txt", {"train": "G/G"}, "glass metal"),
    "EuroSAT": ("2750/{Forest,River}", {"train": "2750"}, "Forest River"),
    "UC Merced land use": ("U/Images/{beach,river} U/readme.txt", {"train": "U/Images"}, "beach river"),
    "MIT Indoor 67": ("Images/{airport_inside,bar} TrainImages.txt", {"train": "Images"}, "airport_inside bar"),
    "MNIST as PNG": ("m/{training,testing}/{0,1}", {"train": "m/training", "test": "m/testing"}, "0 1"),
    "CIFAR-10 as PNG (fast.ai)": ("cifar10/{train,test}/{cat,dog} cifar10/labels.txt", {"train": "cifar10/train", "test": "cifar10/test"}, "cat dog"),
    "Birds 525 (Kaggle)": ("{train,valid,test}/{ROBIN,EMU} birds.csv EfficientNetB0.h5", THREE, "EMU ROBIN"),
    "Roboflow classification": ("{train,valid,test}/{cat,dog} README.dataset.txt README.roboflow.txt", THREE, "cat dog"),
    "Brain tumor MRI (Kaggle)": ("{Training,Testing}/{glioma,notumor}", {"train": "Training", "test": "Testing"}, "glioma notumor"),
    "FER-2013 (Kaggle)": ("{train,test}/{angry,happy}", {"train": "train", "test": "test"}, "angry happy"),
    "Places365, small": ("p/{train,val}/{airfield,bar} p/train.txt", {"train": "p/train", "validation": "p/val"}, "airfield bar"),
    "iNaturalist 2021 mini": ("2021_train_mini/{00000_Ant,00001_Bee}", {"train": "2021_train_mini"}, "00000_Ant 00001_Bee"),
    "LFW": ("lfw/{Aaron_Eckhart,Zico}", {"train": "lfw"}, "Aaron_Eckhart Zico"),
    "invented: lists beside splits": ("{train,test}/{a,b} splits/fold1.txt", {"train": "train", "test": "test"}, "a b"),
    "invented: a thumbnail folder": ("{mug,pen} mug/.thumbnails .git/objects", {"train": "."}, "mug pen"),
    "invented: classes numbered": ("{class1,class2,class3}", {"train": "."}, "class1 class2 class3"),
    "invented: classes of one letter": ("{a,b,c}", {"train": "."}, "a b c"),
    "invented: a train and a test tube": ("{beaker,test_tube,train}", {"train": "."}, "beaker test_tube train"),
    "invented: one class left in the test": ("{train,test}/mug train/pen", {"train": "train", "test": "test"}, "mug pen"),
}  # fmt: skip
REFUSED = {
    "ImageNet (ILSVRC)": ("I/Data/CLS-LOC/train/{n0,n1} I/Data/CLS-LOC/{val,test} I/Annotations/CLS-LOC/val/a.xml I/ImageSets/CLS-LOC/val.txt", FLAT),
    "Tiny ImageNet": ("t/train/{n0,n1}/images t/train/n0/n0_boxes.txt t/{val,test}/images t/val/val_annotations.txt t/words.txt", FLAT),
    "Oxford Flowers 102": ("jpg imagelabels.mat setid.mat", TABLE),
    "Oxford-IIIT Pet": ("images annotations/trimaps annotations/xmls/a.xml annotations/list.txt", NOTES),
    "Stanford Cars": ("cars_train/cars_train cars_test/cars_test devkit/cars_meta.mat", FLAT),
    "Dogs vs. Cats (Kaggle)": ("train test1 sampleSubmission.csv", FLAT),
    "Intel scenes (Kaggle)": ("{seg_train/seg_train,seg_test/seg_test}/{sea,street} seg_pred/seg_pred", rf"and also seg_pred/.*{SAY}"),
    "Chest X-ray (Kaggle)": ("c/{train,val,test}/{N,P} c/c/{train,val,test}/{N,P}", rf"and also c/.*{SAY}"),
    "Fruits-360": ("f/{Training,Test}/{Apple,Pear} f/test-multiple_fruits", FLAT),
    "PlantVillage, three kinds": ("p/{color,grayscale,segmented}/{Apple,Grape}", SAY),
    "PlantVillage, copy inside": ("p/{Apple,Grape} p/p/{Apple,Grape}", SAY),
    "New Plant Diseases": ("N/N/{train,valid}/{Apple,Grape} test/test", r"N/ holds splits of its own \(train/, valid/\).*Give .*N/N"),
    "Casting products (Kaggle)": ("casting_data/{train,test}/{ok,def} casting_512x512/{ok,def}", r"holds splits of its own"),
    "GTSRB": ("G/Final_Training/Images/{00000,00001} G/Final_Training/Images/00000/GT.csv G/Final_Test/Images", FLAT),
    "SUN397": ("S/a/{abbey,airport} S/b/{bar,bakery} S/c/{cafe,canal/indoor}", r"begins with its letter.*Move the folders of all letters"),
    "HAM10000": ("HAM10000_images_part_1 HAM10000_images_part_2 HAM10000_metadata.csv", r"numbered parts of one heap of images"),
    "NIH ChestX-ray14": ("images_001/images images_002/images Data_Entry_2017.csv", r"numbered parts of one heap|come again elsewhere"),
    "ISIC 2019": ("ISIC_2019_Training_Input ISIC_2019_Training_GroundTruth.csv", TABLE),
    "COCO 2017": ("train2017 val2017 annotations/instances_val2017.json", FLAT),
    "PASCAL VOC": ("V/V/Annotations/a.xml V/V/ImageSets/Main/a.txt V/V/{JPEGImages,SegmentationClass}", NOTES),
    "YOLO": ("images/{train,val} labels/{train,val}/a.txt data.yaml", FLAT),
    "Roboflow YOLO": ("{train,valid}/images {train,valid}/labels/a.txt data.yaml", FLAT),
    "Market-1501": ("bounding_box_train bounding_box_test query gt_bbox", FLAT),
    "Rock paper scissors": ("rps/{rock,paper} rps-test-set/{rock,paper}", SAY),
    "ASL alphabet (Kaggle)": ("a_train/a_train/{A,B} a_test/a_test", FLAT),
    "MVTec AD": ("{bottle,cable}/{train/good,test/good,test/broken,ground_truth/broken}", r"holds splits of its own.*Give the folder"),
    "Office-31": ("{amazon,dslr,webcam}/images/{bike,mug}", SAY),
    "PACS": ("{art_painting,photo,sketch}/{dog,cat}", SAY),
    "Omniglot": ("images_background/{Greek,Latin}/c1 images_evaluation/Tengwar/c1", SAY),
    "invented: cameras outside": ("{front,back}/{mug,pen}", SAY),
    "invented: batches": ("{batch 1,batch 2,batch 3}", r"numbered parts of one heap"),
    "invented: masks by class": ("photos/{a,b} masks/{a,b}", NOTES),
    "invented: a second export": ("set/{train,val}/{a,b} set2/{train,val}/{a,b}", r"holds splits of its own.*Give the folder"),
}  # fmt: skip


def unfold(text: str) -> list[str]:
    """The places that a text names; {a,b} stands for each of them, and may hold a blank."""
    found: list[str] = []
    depth, word = 0, ""
    for letter in f"{text} ":
        depth += (letter == "{") - (letter == "}")
        if letter == " " and not depth:
            found += _unfold_word(word) if word else []
            word = ""
        else:
            word += letter
    return found


def _unfold_word(word: str) -> list[str]:
    before, brace, rest = word.partition("{")
    if not brace:
        return [word]
    inside, _, after = rest.partition("}")
    return [item for choice in inside.split(",") for item in _unfold_word(before + choice + after)]


@pytest.mark.parametrize("name", list(READ))
def test_a_public_set_is_read_with_its_classes(tmp_path: Path, name: str) -> None:
    places, splits, classes = READ[name]
    found = find_layout(_lay_out(tmp_path, places))
    assert found == {split: tmp_path / place for split, place in splits.items()}
    assert [path.name for path in list_folders(found["train"])] == classes.split()


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_public_set_that_says_no_classes_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    places, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        find_layout(_lay_out(tmp_path, places))


def _lay_out(root: Path, text: str) -> Path:
    """As `lay_out`; numbers with a dot, as in 001.ak47, are no suffixes."""
    known = (".csv", ".h5", ".json", ".m", ".mat", ".py", ".txt", ".xml", ".yaml", ".DS_Store")
    return lay_out(root, *(place if place.endswith(known) else f"{place}/a.jpg" for place in unfold(text)))


def test_a_link_that_leads_back_is_not_followed_for_ever(tmp_path: Path) -> None:
    root = _lay_out(tmp_path, "{mug,pen} notes/a.txt")
    for name in ("one", "other"):
        (root / "notes" / name).symlink_to(root / "notes", target_is_directory=True)
    assert find_layout(root) == {"train": root}

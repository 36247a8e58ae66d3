"""Label lists as people write them."""

from __future__ import annotations

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.model.labels.text import decode_labels, read_labels


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cat\ndog\nfox\n", ""),
        ("\ufeffcat\r\ndog\r\nfox\r\n\r\n", ""),
        ("0 cat\n1 dog\n2 fox", "begin with their own number"),
        ("000: cat\n001: dog\n002: fox", "begin with their own number"),
        ("1. cat\n2. dog\n3. fox", "begin with their own number"),
        ("id,name\n0,cat\n1,dog\n2,fox", "first row 'id,name' is a header"),
        ("labels\ncat\ndog\nfox", "first row 'labels' is a header"),
        ('["cat", "dog", "fox"]', "JSON list"),
        ('{"0": "cat", "2": "fox", "1": "dog"}', "form {index: label}"),
        ('{"cat": 0, "fox": 2, "dog": 1}', "form {label: index}"),
        ('{"labels": ["cat", "dog", "fox"]}', "JSON list"),
        ("label,index\nfox,2\ncat,0\ndog,1", "end with their own number"),
        ("2 fox\n0 cat\n1 dog", "begin with their own number"),
        ('id,name\n0,"cat"\n1,"dog"\n2,"fox"', "begin with their own number"),
        ("# mine\ncat\ndog\nfox", "begin with # are comments"),
        ("cat,dog, fox", "only row holds all labels"),
        ("- cat\n- dog\n- fox\n", "begin with a dash"),
        ('[{"id": 3, "name": "fox"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]', "JSON list of objects"),
        (
            '{"model_type": "vit", "id2label": {"0": "cat", "1": "dog", "2": "fox"}, "label2id": {"cat": 0}}',
            "JSON object",
        ),
        ('{"0": ["n01", "cat"], "1": ["n02", "dog"], "2": ["n03", "fox"]}', "form {index: label}"),
        ("{0: 'cat', 1: 'dog', 2: 'fox'}", "Python object of the form {index: label}"),
        ("['cat', 'dog', 'fox']", "Python list"),
        ("path: x\nnc: 3\nnames: ['cat', 'dog', 'fox']\n", "YAML list"),
        ("train: x\nnames: [cat, dog, fox]\n", "YAML list"),
        ("train: x\nnames:\n  1: dog\n  0: cat\n  2: 'fox'\nnc: 3", "YAML object"),
        ("nc: 3\nnames:\n- cat\n- dog\n- fox", "YAML list"),
        (
            'item {\n id: 2\n name: "dog"\n}\nitem {\n id: 1\n name: "cat"\n}\nitem { id: 3 display_name: "fox" }',
            "label map",
        ),
        ("0=cat\n1=dog\n2=fox", "begin with their own number"),
        ("0 - cat\n1 - dog\n2 - fox", "begin with their own number"),
        ("0|cat\n1|dog\n2|fox", "begin with their own number"),
        ("0 -> cat\n1 -> dog\n2 -> fox", "begin with their own number"),
        ("[0] cat\n[1] dog\n[2] fox", "begin with their own number"),
        ("(1) cat\n(2) dog\n(3) fox", "begin with their own number"),
        ("class 0: cat\nclass 1: dog\nclass 2: fox", "begin with their own number"),
        ("[labels]\n0=cat\n1=dog\n2=fox", "first row '[labels]' is a header"),
        ("cat 0\ndog 1\nfox 2", "end with their own number"),
        ("cat=0\ndog=1\nfox=2", "end with their own number"),
        ("cat: 0\nfox: 2\ndog: 1", "end with their own number"),
        ("cat (0)\ndog (1)\nfox (2)", "end with their own number"),
        ("id,code,name\n1,n02,dog\n0,n01,cat\n2,n03,fox", "in the column 'name'"),
        ("class_id,class_name,count\n0,cat,100\n1,dog,20\n2,fox,3", "in the column 'class_name'"),
        ('"id";"name"\n"0";"cat"\n"1";"dog"\n"2";"fox"', "in the column 'name'"),
        ('"cat"\n"dog"\n"fox"', "the texts in quotes"),
        ("    'cat',\n    'dog',\n    'fox',\n", "the texts in quotes"),
        ("labels = [\n  'cat', 'dog',\n  'fox',\n]", "the texts in quotes"),
        ('const LABELS = ["cat", "dog", "fox"];', "only row holds all labels"),
        ('static const char* labels[] = {"cat", "dog", "fox"};', "only row holds all labels"),
        ("[cat, dog, fox]", "only row holds all labels"),
        ("cat|dog|fox", "only row holds all labels"),
        ("cat dog fox", "only row holds all labels"),
        ("* cat\n* dog\n* fox", "begin with a dash"),
        ("\n\ncat\n\ndog\nfox", "empty rows are ignored"),
        ("cat\rdog\rfox\r", ""),
        ("background\ncat\ndog\nfox", "first label 'background' is left out"),
        ("0 background\n1 cat\n2 dog\n3 fox", "first label 'background' is left out"),
        ('{"id": 0, "name": "cat"}\n{"id": 1, "name": "dog"}\n{"id": 2, "name": "fox"}', "JSON list of objects"),
        ('{"version": 1, "label_map": {"0": "cat", "1": "dog", "2": "fox"}}', "form {index: label}"),
        ('{"model": {"task": ["a"], "labels": ["cat", "dog", "fox"]}, "v": 2}', "JSON list"),
        ('{"labels": "labels.txt", "out": {"cat": 0, "dog": 1, "fox": 2}}', "form {label: index}"),
        ('{"0": {"name": "cat"}, "1": {"name": "dog"}, "2": {"name": "fox"}}', "form {index: label}"),
        ('{"cat": {"id": 0}, "dog": {"id": 1}, "fox": {"id": 2}}', "form {label: index}"),
        ('{"cat": 0.0, "dog": 1.0, "fox": 2.0}', "form {label: index}"),
        ('{"class_0": "cat", "class_1": "dog", "class_2": "fox"}', "form {index: label}"),
        ('[[0, "cat"], [1, "dog"], [2, "fox"]]', "list of pairs"),
        ('// mine\n["cat", "dog", "fox"]', "JSON list"),
        ("names:\n  0: cat # feline\n  1: dog\n  '2': \"fox\"", "YAML object"),
        ("model:\r\n  classes:  # in order\r\n    - cat\r\n    - dog\r\n\r\n    - fox\r\n", "YAML list"),
    ],
)
def test_each_form_gives_the_labels_in_output_order(text, told):
    assumptions: list[str] = []
    assert read_labels(text, 3, "toy", assumptions) == ("cat", "dog", "fox")
    assert told in " ".join(assumptions)


def test_numbers_that_are_labels_stay():
    assert read_labels("0\n1\n2\n", 3, "digits", []) == ("0", "1", "2")
    for names in (
        ("1 euro", "2 euro", "50 cent"),
        ("1 euro", "2 euro"),
        ("Type 0", "Type 1"),
        ("player 1", "guest 2"),
        ("Boeing 707", "Airbus 320"),
        ("hot dog", "not hot dog"),
        ("rock 'n' roll", "jazz"),
        ("background", "cat"),
    ):
        assert read_labels("\n".join(names), len(names), "odd", []) == names
    assert read_labels("0 -5 C\n1 -10 C", 2, "cold", []) == ("-5 C", "-10 C")
    assert read_labels("[a]\n[b]", 2, "odd", []) == ("[a]", "[b]")
    assert read_labels("#1\n#2", 2, "odd", []) == ("#1", "#2")
    assert read_labels("a,1\nb,7", 2, "odd", []) == ("a,1", "b,7")


def test_what_a_windows_shell_writes_is_read():
    for encoding in ("utf-16", "utf-8-sig", "utf-8", "utf-32", "utf-16-le", "utf-16-be"):
        assert decode_labels("Käse\nBrot".encode(encoding)) == "Käse\nBrot"
    with pytest.raises(UnicodeDecodeError):
        decode_labels("Käse".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError, match="a zero byte"):
        decode_labels(b"PK\3\4\0\0\0cat")


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": 2}', '{"0": "a", "2": "b"}', "[1, 2]", "[]", '{"a": {"b": 0}, "c": 1}']
)
def test_json_of_another_form_is_refused(text):
    with pytest.raises(
        ModelError, match=r"labels of toy are JSON of another form|has 2 outputs but there are 0 labels"
    ):
        read_labels(text, 2, "toy", [])


def test_an_empty_line_between_labels_is_named():
    with pytest.raises(ModelError, match="Label 1 of toy is empty, expected a word for each of 3 outputs"):
        read_labels("a\n\nc", 3, "toy", [])


@pytest.mark.parametrize(
    "text", ["names:\n\ncat", "a\0b\n" * 2, "x" + " " * 100_000 + "y\nz", '"' * 50_001, "a," * 200_000]
)
def test_odd_texts_are_lines_of_which_there_are_too_many_or_too_few(text):
    with pytest.raises(ModelError, match="has 77 outputs but there are"):
        read_labels(text, 77, "toy", [])

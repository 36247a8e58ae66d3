"""Label lists as people write them."""

from __future__ import annotations

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.model.label_text import decode_labels, read_labels


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
    ],
)
def test_each_form_gives_the_labels_in_output_order(text, told):
    assumptions: list[str] = []
    assert read_labels(text, 3, "toy", assumptions) == ("cat", "dog", "fox")
    assert told in " ".join(assumptions)


def test_numbers_that_are_labels_stay():
    assert read_labels("0\n1\n2\n", 3, "digits", []) == ("0", "1", "2")
    assert read_labels("1 euro\n2 euro\n50 cent", 3, "coins", []) == ("1 euro", "2 euro", "50 cent")
    assert read_labels("[a]\n[b]", 2, "odd", []) == ("[a]", "[b]")
    assert read_labels("#1\n#2", 2, "odd", []) == ("#1", "#2")
    assert read_labels("a,1\nb,7", 2, "odd", []) == ("a,1", "b,7")


def test_what_a_windows_shell_writes_is_read():
    for encoding in ("utf-16", "utf-8-sig", "utf-8"):
        assert decode_labels("Käse\nBrot".encode(encoding)) == "Käse\nBrot"
    with pytest.raises(UnicodeDecodeError):
        decode_labels("Käse".encode("latin-1"))


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

"""Which split a folder's name means, in the languages that photo sets are named in."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

SPLITS = ("train", "validation", "test")
# The parts of folder names that mark a split: train, Training_Set, seg_train, trainA, val2017, Testdaten, ...
_WORDS = {
    "train": (
        "train", "training", "trainset", "trainval", "trn", "addestramento", "apprentissage", "egitim", "entrainement",
        "entrenamiento", "latih", "trainings", "trainingsdaten", "trainingsbilder", "trenovaci", "treinamento",
        "treino", "treningowe", "treningowy", "uczacy", "обучающая", "обучение", "тренировка", "тренировочная",
    ),
    "validation": (
        "val", "valid", "validation", "valset", "dev", "eval", "evaluation", "convalida", "dogrulama", "validacao",
        "validacion", "validacni", "validasi", "validatie", "validazione", "validering", "validierung",
        "validierungsdaten", "walidacja", "walidacyjny", "валидационная", "валидация", "проверка",
    ),
    "test": (
        "test", "testing", "testset", "tst", "holdout", "prueba", "pruebas", "testbilder", "testdaten", "teste",
        "testes", "testovaci", "testowe", "testowy", "uji", "тест", "тестирование", "тестовая",
    ),
}  # fmt: skip
# Of scripts without blanks between words; they are looked for within a name.
_WITHIN = {
    "train": ("训练", "訓練", "学習", "學習", "훈련", "학습", "تدريب", "प्रशिक्षण", "ฝึก"),
    "validation": ("验证", "驗證", "検証", "검증", "تحقق", "सत्यापन"),
    "test": ("测试", "測試", "テスト", "試験", "시험", "테스트", "اختبار", "परीक्षण", "ทดสอบ"),
}
SPLIT_NAMES = frozenset(word for words in _WORDS.values() for word in words)


def split_named(name: str) -> str | None:
    """The split that a folder of this name may be, None when the name does not suggest one."""
    words, plain = split_words(name), _fold(name)
    if _fold("hold out") in " ".join(words):
        words = ["holdout"]
    found = {split for split, spellings in _WORDS.items() if any(word in spellings for word in words)}
    found |= {split for split, spellings in _WITHIN.items() if any(_fold(word) in plain for word in spellings)}
    return found.pop() if len(found) == 1 else None


def split_words(name: str) -> list[str]:
    """The words of a folder's name, without capitals and accents; trainA has two."""
    letters = unicodedata.normalize("NFC", f" {name}")
    # 数据Train has two words as well: not every script has small letters.
    ends = (one.isalpha() and not one.isupper() and two.isupper() for one, two in pairwise(letters))
    apart = "".join(f" {letter}" if end else letter for end, letter in zip(ends, letters[1:], strict=True))
    return re.findall(r"[^\W\d_]+", _fold(apart))


def _fold(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", plain)  # the parts of a Korean syllable, which are no accents

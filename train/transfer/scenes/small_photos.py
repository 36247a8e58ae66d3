"""Small photos of anything, for what lies behind an image and for images of none of the classes: embedded CIFAR-10.

What the user's own classes are must not be taught as "none of them", so that photos of a class that a label names are
left out. Names are all there is to go by: at 32 x 32 pixels no network tells such a photo from the user's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from train.datasets.cifar10_mini import LABELS, read_mini
from train.datasets.layout.split_names import split_words

_ANIMALS = "animal animals pet pets tier tiere animaux animales animali animais dier zwierze животное 动物 動物 동물 "
_VEHICLES = "vehicle vehicles traffic transport fahrzeug vehicule vehiculo veicolo veiculo voertuig pojazd 车辆 車両 "
# What people call the classes of CIFAR-10, one and several of them, without accents.
_NAMES = {
    "airplane": "airplane airplanes aeroplane aeroplanes plane planes aircraft jet jets flugzeug flugzeuge avion "
    "avions aviones aereo aerei aviao avioes vliegtuig samolot самолет самолеты 飞机 飛行機 비행기 " + _VEHICLES,
    "automobile": "automobile automobiles auto autos car cars taxi suv pkw wagen voiture voitures coche coches carro "
    "carros macchina macchine samochod машина автомобиль 汽车 自動車 자동차 " + _VEHICLES,
    "bird": "bird birds vogel oiseau oiseaux pajaro pajaros ave aves uccello uccelli passaro passaros ptak ptaki птица "
    "птицы 鸟 鳥 조류 " + _ANIMALS,
    "cat": "cat cats kitten kittens kitty katze katzen chat chats gato gatos gata gatas gatto gatti kat katten kot "
    "koty кот кошка кошки 猫 고양이 " + _ANIMALS,
    "deer": "deer stag elk moose hirsch hirsche reh rehe cerf cerfs ciervo ciervos cervo cervi hert jelen олень 鹿 "
    "사슴 " + _ANIMALS,
    "dog": "dog dogs puppy puppies doggy hund hunde chien chiens perro perros cane cani cao caes cachorro cachorros "
    "hond honden pies psy собака собаки 狗 犬 강아지 " + _ANIMALS,
    "frog": "frog frogs toad toads frosch frosche krote grenouille grenouilles rana ranas rane sapo sapos kikker zaba "
    "лягушка 青蛙 カエル 개구리 " + _ANIMALS,
    "horse": "horse horses pony ponies pferd pferde cheval chevaux caballo caballos cavallo cavalli cavalo cavalos "
    "paard kon konie лошадь лошади 马 馬 말 " + _ANIMALS,
    "ship": "ship ships boat boats vessel schiff schiffe boot boote bateau bateaux navire barco barcos nave navi navio "
    "barca schip statek корабль лодка 船 선박 " + _VEHICLES,
    "truck": "truck trucks lorry lorries lkw lastwagen camion camions camiones caminhao vrachtwagen ciezarowka "
    "грузовик 卡车 トラック 트럭 " + _VEHICLES,
}  # fmt: skip


def list_known(labels: Sequence[str]) -> set[str]:
    """The classes of CIFAR-10 that the user's ``labels`` seem to name, in the language of either."""
    words = {word for label in labels for word in split_words(label)}
    return {name for name, spellings in _NAMES.items() if any(_occurs(word, words) for word in spellings.split())}


def _occurs(word: str, words: set[str]) -> bool:
    """Whether ``word`` is one of ``words``, or part of one where a script puts no blanks between them."""
    return word in words or (ord(word[0]) >= ord("\u3000") and any(word in longer for longer in words))


def load_small_photos(labels: Sequence[str]) -> NDArray[np.uint8]:
    """(n, 32, 32, 3) uint8 RGB photos of anything but what ``labels`` name; n is 0 where they name everything."""
    training = read_mini(InputSpec(32, 32))[0]
    known = np.array([name in list_known(labels) for name in LABELS])
    return training.images[~known[training.labels]]

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

_ANIMALS = (
    "animal animals pets tiere animaux animales animali animais dier dieren zwierzeta животное животные 动物 動物 동물 "
)
_VEHICLES = (
    "vehicle vehicles fahrzeug fahrzeuge vehicule vehicules vehiculo vehiculos veicolo veicoli veiculo veiculos "
    "voertuig voertuigen pojazd pojazdy 车辆 車輛 車両 "
)
# What people call the classes of CIFAR-10 and kinds of them, one and several, without accents.
_NAMES = {
    "airplane": (
        "airplane airplanes aeroplane aeroplanes plane planes aircraft jet jets flugzeug flugzeuge avion avions "
        "aviones aereo aerei aviao avioes vliegtuig samolot samoloty vliegtuigen самолет самолеты "
        "飞机 飛機 飛行機 비행기 " + _VEHICLES
    ),
    "automobile": (
        "automobile automobiles auto autos car cars taxi suv sedan van jeep pkw wagen voiture voitures coche "
        "coches carro carros macchina macchine samochod samochody машина машины автомобиль автомобили 汽车 汽車 自動車 "
        "자동차 " + _VEHICLES
    ),
    "bird": (
        "bird birds duck ducks chicken chickens eagle eagles owl owls penguin penguins parrot parrots vogel "
        "vogels oiseau oiseaux pajaro pajaros ave aves uccello uccelli passaro passaros ptak ptaki птица птицы 鸟 "
        "鳥 조류 " + _ANIMALS
    ),
    "cat": (
        "cat cats kitten kittens kitty katze katzen chat chats gato gatos gata gatas gatto gatti kat katten kot "
        "koty кот коты кошка кошки 猫 貓 ネコ 고양이 " + _ANIMALS
    ),
    "deer": (
        "deer stag elk moose hirsch hirsche reh rehe cerf cerfs ciervo ciervos cervo cervi hert herten jelen "
        "jelenie олень олени 鹿 사슴 " + _ANIMALS
    ),
    "dog": (
        "dog dogs puppy puppies doggy hund hunde chien chiens perro perros cani cao caes cachorro cachorros hond "
        "honden psy собака собаки 狗 犬 イヌ 강아지 " + _ANIMALS
    ),
    "frog": (
        "frog frogs toad toads frosch frosche krote grenouille grenouilles rana ranas rane sapo sapos kikker "
        "kikkers zaba zaby лягушка лягушки 青蛙 カエル 개구리 " + _ANIMALS
    ),
    "horse": (
        "horse horses pony ponies pferd pferde cheval chevaux caballo caballos cavallo cavalli cavalo cavalos "
        "paard paarden kon konie лошадь лошади 马 馬 말 " + _ANIMALS
    ),
    "ship": (
        "ship ships boat boats yacht yachts sailboat sailboats schiff schiffe boote bateau bateaux navire navires "
        "barco barcos nave navi navio navios barca barche schip schepen boten statek statki корабль корабли лодка "
        "лодки 船 선박 " + _VEHICLES
    ),
    "truck": (
        "truck trucks lorry lorries lkw lastwagen camion camions camiones caminhao caminhoes vrachtwagen "
        "vrachtwagens ciezarowka ciezarowki грузовик грузовики 卡车 卡車 トラック 트럭 " + _VEHICLES
    ),
}


def list_known(labels: Sequence[str]) -> set[str]:
    """The classes of CIFAR-10 that the user's ``labels`` seem to name, in one of twelve languages."""
    words = {word for label in labels for word in split_words(label)}
    return {name for name, spellings in _NAMES.items() if any(_occurs(word, words) for word in spellings.split())}


def _occurs(word: str, words: set[str]) -> bool:
    """Whether ``word`` is one of ``words``, or, in Chinese and Japanese, which have no blanks, ends one (黑猫)."""
    return word in words or ("\u3000" <= word[0] < "\ua000" and any(longer.endswith(word) for longer in words))


def load_small_photos(labels: Sequence[str]) -> NDArray[np.uint8]:
    """(n, 32, 32, 3) uint8 RGB photos of anything but what ``labels`` name; n is 0 where they name everything."""
    training = read_mini(InputSpec(32, 32))[0]
    own = list_known(labels)
    known = np.array([name in own for name in LABELS])
    return training.images[~known[training.labels]]

"""Small photos of anything, for what lies behind an image and for images of none of the classes: embedded CIFAR-10.

What the user's own classes are must not be taught as "none of them", so that photos of a class that a label names are
left out, and so are those of the class of which a label names a kind: whoever tells sparrows from finches has birds.
Names are all there is to go by: at 32 x 32 pixels no network tells such a photo from the user's own. One word too
many costs a tenth of the photos, one too few teaches that the user's birds are nothing: so the list is generous.
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
# What people call the classes of CIFAR-10, one and several, without accents.
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

# Breeds, species, makes and types. One of a user's labels is enough: they come in sets. Left out is what mostly means
# something else (boxer, crane, turkey, kite, beetle, ranger).
_KINDS = {
    "airplane": (
        "airliner airliners airbus boeing cessna embraer biplane biplanes glider gliders seaplane seaplanes "
        "spitfire concorde"
    ),
    "automobile": (
        "cabriolet convertible coupe hatchback limousine minivan minivans roadster pickup ambulance audi bmw "
        "cadillac chevrolet chrysler citroen ferrari fiat honda hyundai kia lamborghini lexus mazda mercedes "
        "mitsubishi nissan opel peugeot porsche renault skoda subaru suzuki tesla toyota volkswagen volvo vw "
        "mustang jaguar"
    ),
    "bird": (
        "albatross blackbird blackbirds bluebird bluejay bullfinch buzzard canary cardinal cardinals cassowary "
        "chaffinch chickadee chickadees cockatoo cormorant crow crows cuckoo dove doves egret emu falcon falcons "
        "finch finches flamingo flamingos flycatcher gannet goldfinch goose geese grackle greenfinch grosbeak gull "
        "gulls hawk hawks hen hens heron herons hummingbird hummingbirds ibis jackdaw jay jays junco kestrel "
        "kingfisher kookaburra lark loon macaw magpie magpies mallard mockingbird nightingale nuthatch oriole "
        "osprey ostrich parakeet peacock pelican pheasant pigeon pigeons puffin quail raven ravens redstart robin "
        "robins rooster rosella sandpiper seagull seagulls shrike siskin skylark sparrow sparrows starling "
        "starlings stork swan swans tanager tern thrush titmouse toucan vulture wagtail warbler woodpecker "
        "woodpeckers wren wrens amsel drossel elster fink gans gimpel kleiber krahe meise meisen kohlmeise "
        "blaumeise rotkehlchen spatz spatzen sperling specht stieglitz storch taube tauben zeisig mesange mesanges "
        "moineau moineaux merle corbeau rougegorge pinson gorrion gorriones mirlo paloma palomas petirrojo merlo "
        "passero piccione pettirosso cinciallegra pardal pombo melro bemtevi merel mees koolmees pimpelmees "
        "roodborst ekster duif wrobel sikora sikorka golab sroka синица воробей голубь ворона 麻雀 喜鹊 鹦鹉 "
        "鸽子 スズメ カラス 참새 까치"
    ),
    "cat": (
        "abyssinian birman bobtail burmese calico cornishrex devonrex lynx mainecoon munchkin ocelot ragdoll "
        "siamese sphynx tabby tomcat"
    ),
    "deer": "antelope caribou gazelle impala reindeer roe whitetail wapiti rothirsch rentier",
    "dog": (
        "affenpinscher akita alsatian basenji basset beagle beagles borzoi briard bulldog bulldogs bullmastiff "
        "chihuahua chihuahuas chow cocker collie corgi corgis coyote dachshund dachshunds dalmatian dane dingo "
        "doberman dobermann greyhound hound hounds husky huskies labrador labradoodle labradors leonberger malamute "
        "malinois maltese maltipoo mastiff newfoundland pekinese pekingese pinscher pitbull pomeranian poodle "
        "poodles pug pugs retriever retrievers rottweiler saluki samoyed schnauzer setter sheepdog shepherd shiba "
        "shihtzu spaniel spaniels spitz terrier terriers vizsla weimaraner whippet wolfhound yorkie dackel pudel "
        "schaferhund mops caniche teckel bouledogue galgo"
    ),
    "frog": "amphibian amphibians bullfrog treefrog bufo hyla laubfrosch erdkrote",
    "horse": (
        "appaloosa clydesdale donkey donkeys foal foals friesian haflinger hanoverian lipizzaner mustang palomino "
        "percheron shetland shire stallion thoroughbred zebra zebras"
    ),
    "ship": (
        "barge barges canoe canoes catamaran catamarans destroyer dinghy ferry ferries freighter frigate gondola "
        "kayak kayaks lifeboat schooner speedboat speedboats tanker tankers trawler trimaran tug tugboat warship "
        "warships"
    ),
    "truck": (
        "dumper firetruck firetrucks fireengine semitrailer tipper trailer trailers unimog daf iveco kamaz mack "
        "peterbilt kenworth scania tractor tractors pickup pickups"
    ),
}


def list_known(labels: Sequence[str]) -> set[str]:
    """The classes of CIFAR-10 that the user's ``labels`` seem to name, in one of twelve languages."""
    words = {word for label in labels for word in split_words(label)}
    return {name for name in LABELS if any(_occurs(word, words) for word in f"{_NAMES[name]} {_KINDS[name]}".split())}


def _occurs(word: str, words: set[str]) -> bool:
    """Whether ``word`` is one of ``words``, or, in Chinese and Japanese, which have no blanks, ends one (黑猫)."""
    return word in words or ("\u3000" <= word[0] < "\ua000" and any(longer.endswith(word) for longer in words))


def load_small_photos(labels: Sequence[str]) -> NDArray[np.uint8]:
    """(n, 32, 32, 3) uint8 RGB photos of anything but what ``labels`` name; n is 0 where they name everything."""
    training = read_mini(InputSpec(32, 32))[0]
    own = list_known(labels)
    known = np.array([name in own for name in LABELS])
    return training.images[~known[training.labels]]

"""What scenes are made of: about a hundred nameable objects in nine classes, colours, relations, and which pairs are held out.

Classes follow the groups and subgroups of Unicode CLDR (`splits.py` looks the code points up and commits the list).
"""
import hashlib

# class -> "word" or "word=CLDR name"; CLDR subgroups stand behind each class
VOCABULARY = {
    "animal": (  # animal-*
        "frog", "chicken", "penguin", "butterfly", "bee=honeybee", "spider", "snail", "dog", "cat", "tiger", "horse", "cow",
        "pig", "elephant", "whale", "fish", "octopus", "turtle", "snake", "rabbit"),
    "plant": (  # plant-*
        "cactus", "sunflower", "tulip", "rose", "mushroom", "tree=deciduous tree", "palm=palm tree", "seedling", "blossom",
        "clover=four leaf clover"),
    "food": (  # food-*
        "watermelon", "lemon", "banana", "pineapple", "pear", "peach", "strawberry", "apple=red apple", "tomato", "carrot",
        "eggplant", "bread", "hamburger", "pizza", "doughnut", "cookie", "lollipop", "candy"),
    "vehicle": (  # transport-*
        "car=automobile", "bus", "train", "taxi", "ambulance", "truck=delivery truck", "tractor", "bicycle", "motorcycle",
        "airplane", "helicopter", "rocket", "sailboat", "ship"),
    "building": (  # place-building, place-religious, place-other
        "house", "castle", "church", "factory", "stadium", "hospital", "fountain", "tent"),
    "sky": (  # sky-weather
        "sun", "star", "cloud", "rainbow", "moon=crescent moon", "snowflake", "fire", "droplet"),
    "clothing": (  # clothing
        "dress", "necktie", "shoe=running shoe", "boot=woman’s boot", "hat=woman’s hat", "crown", "ring", "handbag", "backpack",
        "shirt=t-shirt"),
    "instrument": (  # musical-instrument, sound
        "saxophone", "trumpet", "guitar", "violin", "piano=musical keyboard", "drum", "bell"),
    "tool": (  # tool, writing, science, medical, light-video, lock
        "hammer", "wrench", "key", "lock=locked", "pencil", "paintbrush", "microscope", "telescope", "syringe", "camera",
        "flashlight", "candle"),
}
CLASSES = tuple(VOCABULARY)  # a mask holds 0 for the background, else 1 + index
COLOURS = {  # straight RGB, 0..1
    "red": (0.86, 0.10, 0.12), "orange": (1.00, 0.52, 0.05), "yellow": (0.98, 0.85, 0.10), "green": (0.15, 0.65, 0.20),
    "blue": (0.12, 0.35, 0.90), "purple": (0.50, 0.18, 0.70), "pink": (1.00, 0.50, 0.75), "brown": (0.45, 0.27, 0.13),
}
RELATIONS = ("left of", "right of", "above", "below")
_TURNED = {"right of": "left of", "below": "above"}
HELD_OUT_SHARE = 5  # one pair in five


def objects_of(names):
    """[{name, hexcode, class}] of the vocabulary; names: [{hexcode, name}] of all emoji."""
    hexcodes = {n["name"]: n["hexcode"] for n in names}
    words = [(word.split("="), kind) for kind, words in VOCABULARY.items() for word in words]
    return [{"name": word[0], "hexcode": hexcodes[word[-1]], "class": kind} for word, kind in words]


def is_held_out(*words):
    """Whether a composition belongs to the held-out fifth: a stable hash of its words."""
    return hashlib.sha256(" ".join(words).encode()).digest()[0] % HELD_OUT_SHARE == 0


def colour_is_held_out(colour, name):
    return colour is not None and is_held_out(colour, name)


def relation_is_held_out(name, relation, other):
    """(dog, right of, cat) says the same as (cat, left of, dog): both are held out or neither."""
    if relation in _TURNED:
        name, relation, other = other, _TURNED[relation], name
    return is_held_out(name, relation, other)

"""What is said about a picture: the name mostly raw, else a template or keywords. All texts are lower case."""
import json
import re

from .paths import package_dir

TEMPLATES = (
    "a picture of {}", "a picture of a {}", "an emoji of {}", "{} emoji", "{} icon", "an icon of a {}", "a drawing of a {}",
    "a photo of a {}", "the {}", "a {}", "this is {}", "an image of {}",
)
_ICON_NOISE = re.compile(r"\b(outline|variant|fill|filled|solid|box|off|\d+)\b")


def icon_words(name):
    """"car-outline" -> "car"; a name of nothing but noise stays as it is."""
    words = name.replace("-", " ")
    kept = re.sub(r"\s+", " ", _ICON_NOISE.sub(" ", words)).strip() if " off" not in f" {words}" else words
    return (kept or words).lower()


def icon_tags(style):
    """{icon name: [tags]} of the packs that publish tags."""
    if style == "lucide":
        return json.loads((package_dir("lucide-static") / "tags.json").read_text())
    if style.startswith("phosphor-"):
        source = (package_dir("@phosphor-icons/core") / "dist" / "index.mjs").read_text()
        entries = re.findall(r'name: "([^"]+)".*?tags: \[(.*?)\]', source, re.S)
        return {name: [t for t in re.findall(r'"([^"]+)"', tags) if "*" not in t] for name, tags in entries}
    return {}


def describe(name, tags, rng):
    """The raw name (80 %), a template (12 %) or two or three keywords."""
    draw = rng.random()
    if draw < 0.80 or (draw >= 0.92 and len(tags) < 3):
        return name
    if draw < 0.92:
        return TEMPLATES[rng.integers(len(TEMPLATES))].format(name)
    return " ".join(rng.choice(tags, size=rng.integers(2, 4), replace=False))

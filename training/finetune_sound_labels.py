"""What sounds hold and texts about them say, as labels of frames and tokens: what the aid `Heard` teaches.

A name is an event, a spoken word or a kind of hit: 1 + its index in HEARD_NAMES, 0 for silence, -1 where nothing is asked.
"""
import torch

from .material.mixtures import EVENTS
from .material.sound_questions import HITS
from .material.splits import load_splits

HOP = 320  # samples of a frame
WORDS = tuple(w["word"].lower() for w in load_splits()["words"])
HEARD_NAMES = tuple(dict.fromkeys((*EVENTS, *WORDS, *HITS)))  # a word may be an event's name: one label, as one text
LABELS = {name: 1 + i for i, name in enumerate(HEARD_NAMES)}
SAID = ("found", "first", "last", "loudest")  # of a name: is it heard, begins nothing before it, ends nothing after it, …


def heard_in_frames(question):
    """{"names", "centres": int64 (frames,)}: what is heard in each frame, the loudest of several; and its name in the middle
    frame of each event, word or hit, else 0. Frames as the adapter counts them, or a few more."""
    frames = len(question.wave) // HOP
    names, centres = torch.zeros(frames, dtype=torch.long), torch.zeros(frames, dtype=torch.long)
    for name, start, end in reversed(question.heard):
        names[start // HOP : max(start // HOP + 1, end // HOP)] = LABELS[name]
        centres[min(frames - 1, (start + end) // 2 // HOP)] = LABELS[name]
    return {"names": names, "centres": centres}


def said_in_text(tokenizer, question, candidate, length):
    """Labels (length,) of the tokens of "question answer: candidate": "said_names" at the last token of the candidate and of a
    name in the question; of these "found_counts" int64, how often it is heard, "found_spans" float (length, 2), from when to
    when as parts of the clip (negative: not heard just once), and "found_order" float (length, 4), as SAID."""
    said, counts = torch.full((length,), -1), torch.full((length,), -1)
    spans, order = torch.full((length, 2), -1.0), torch.full((length, len(SAID)), -1.0)
    asked = named_in(question.text)
    places = {} if asked is None else {len(tokenizer(question.text[: question.text.index(asked) + len(asked)])) - 2: asked}
    if candidate in LABELS:
        places[len(tokenizer(f"{question.text} answer: {candidate}")) - 2] = candidate
    for at, name in places.items():
        alike = [(start, end) for what, start, end in question.heard if what == name]
        said[at], counts[at] = LABELS[name], len(alike)
        order[at, 0] = float(bool(alike))
        if len(alike) == 1:
            spans[at] = torch.tensor(alike[0]) / len(question.wave)
            order[at, 1:] = torch.tensor([
                float(all(alike[0][0] <= start for _, start, _ in question.heard)),
                float(all(alike[0][1] >= end for _, _, end in question.heard)),
                float(question.heard[0][0] == name) if question.kind == "loudest" else -1.0])
    return {"said_names": said, "found_counts": counts, "found_spans": spans, "found_order": order}


def named_in(text):
    """The name that "which sound follows the …?" or "how many … are heard?" asks about, or None."""
    for before, after in (("which sound follows the ", "?"), ("how many ", " are heard?")):
        if text.startswith(before) and text.endswith(after):
            return text[len(before) : -len(after)]
    return None

"""Synthesised sound events: what they are called. The waveforms are made by material/sound_synthesis.py.

Each event has a name, the texts that describe it and, where one exists, the emoji that shows it.
"""

_EVENTS = {
    "siren": ("1F6A8", "police siren"), "bell": ("1F514", "bell ringing"), "rain": ("1F327", "rain falling"),
    "wind": ("1F32C", "wind blowing"), "engine": ("1F697", "car engine running"), "heartbeat": ("1F493", "heart beating"),
    "clock": ("1F570", "clock ticking"), "alarm": ("23F0", "alarm clock beeping"), "laser": ("1F52B", "laser shot"),
    "whistle": (None, "someone whistling"), "drum": ("1F941", "drum beat"), "footsteps": ("1F463", "someone walking"),
    "applause": ("1F44F", "people clapping"), "piano": ("1F3B9", "piano playing"), "violin": ("1F3BB", "violin playing"),
    "guitar": ("1F3B8", "guitar string plucked"), "flute": ("1FA88", "flute playing"), "trumpet": ("1F3BA", "trumpet playing"),
    "bird": ("1F426", "bird chirping"), "cricket": ("1F997", "cricket chirping"), "glass": (None, "glass breaking"),
    "bubbles": ("1FAE7", "bubbles in water"), "static": ("1F4FB", "radio static"), "dial tone": ("1F4DE", "telephone dial tone"),
    "thunder": ("1F329", "thunder rumbling"), "ocean": ("1F30A", "ocean waves"), "fire": ("1F525", "fire crackling"),
    "helicopter": ("1F681", "helicopter flying"), "train horn": ("1F682", "train horn"), "explosion": ("1F4A5", "explosion"),
    "keyboard": ("2328", "typing on a keyboard"), "knock": ("1F6AA", "knocking on a door"), "frog": ("1F438", "frog croaking"),
    "bee": ("1F41D", "bee buzzing"), "saw": ("1FA9A", "saw cutting wood"),
    "phone": ("260E", "telephone ringing"), "car horn": ("1F698", "car honking"), "dog": ("1F415", "dog barking"),
    "cat": ("1F408", "cat meowing"), "rooster": ("1F413", "rooster crowing"), "owl": ("1F989", "owl hooting"),
    "cow": ("1F404", "cow mooing"), "sheep": ("1F411", "sheep bleating"), "duck": ("1F986", "duck quacking"),
    "horse": ("1F40E", "horse galloping"), "organ": ("26EA", "church organ playing"), "drill": (None, "electric drill"),
    "vacuum": (None, "vacuum cleaner"), "water drop": ("1F4A7", "water dripping"), "camera": ("1F4F7", "camera shutter clicking"),
    "ping pong": ("1F3D3", "ping pong ball bouncing"), "zipper": (None, "zipper closing"), "morse": (None, "morse code beeping"),
}
SOUND_EVENTS = [
    {"name": name, "hexcode": hexcode, "texts": [name, f"the sound of {name}", phrase, f"the sound of {phrase}"]}
    for name, (hexcode, phrase) in _EVENTS.items()
]

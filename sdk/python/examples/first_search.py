"""Keeps files and words in a collection and searches them: python first_search.py FILE…"""

import os
import sys
from pathlib import Path

from onepeace_client import Client

client = Client(os.environ.get("ONEPEACE_URL", "http://127.0.0.1:8080"), api_key=os.environ.get("ONEPEACE_API_KEY"))
files = [Path(name) for name in sys.argv[1:]]

client.collections.create("first-python")
for path in files:
    client.items.add("first-python", path, metadata={"path": str(path)})
client.items.add("first-python", "a note on helicopters", id="note")

# Pictures by words; anything by a sound; anything by a mixture of a sound and words.
pictures = client.search("first-python", "pizza", modalities=["image"], limit=1)
print("pizza:", pictures["hits"][0]["metadata"]["path"])

sound = next(path for path in files if path.suffix == ".wav")
heard = client.search("first-python", sound, limit=2)
print("sounds like it:", ", ".join(hit["modality"] for hit in heard["hits"]))

mixed = client.search(
    "first-python",
    {"content": [{"type": "file", "file": sound, "weight": 0.3}, {"type": "text", "text": "a dog"}]},
)
print(f"mixture: {mixed['hits'][0]['score']:.2f}")

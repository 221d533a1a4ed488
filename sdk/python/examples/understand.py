"""What the model says of a sound, and what a problem looks like: python understand.py SOUND PICTURE"""

import os
import sys
from pathlib import Path

from onepeace_client import Client, ProblemError

client = Client(os.environ.get("ONEPEACE_URL", "http://127.0.0.1:8080"), api_key=os.environ.get("ONEPEACE_API_KEY"))
sound, picture = Path(sys.argv[1]), Path(sys.argv[2])

classes = client.classify(sound, ["rain", "a dog", "a bell"], template="the sound of {}")
print("heard:", classes["results"][0]["label"])

scores = client.similarity([picture], ["pizza", "rain"])["scores"]
print("pizza more than rain:", scores[0][0] > scores[0][1])

try:
    print("box:", client.ground(picture, ["a slice"], timeout=30)["results"][0]["box"])
except ProblemError as problem:
    if problem.code != "unsupported-by-model":
        raise
    print("no boxes:", problem.code)  # the default model has no grounding head

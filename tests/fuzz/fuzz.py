"""Starts the service on an empty data folder and lets schemathesis loose on the whole contract. Exit status 0: nothing found."""
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from hooks import COLLECTION, ITEM

ROOT = Path(__file__).resolve().parents[2]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "60")
SEED = os.environ.get("FUZZ_SEED", "1")


def start(data: str) -> tuple[subprocess.Popen, str]:
    command = ["node", "bin/onepeace.js", "serve", "--port", "0", "--data", data]
    # Pictures and sounds come as bytes here; no request may leave this machine.
    env = {**os.environ, "ONEPEACE_REMOTE_FETCH": "0"}
    service = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    url = re.search(r"http://\S+", service.stdout.readline())
    if url is None:
        raise SystemExit("The service did not start.")
    return service, url.group()


def post(url: str, body: dict) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request).close()


def main() -> int:
    with tempfile.TemporaryDirectory() as data:
        service, url = start(data)
        try:
            post(f"{url}/v1/collections", {"name": COLLECTION})
            post(f"{url}/v1/collections/{COLLECTION}/items", {"id": ITEM, "input": "a dog", "metadata": {"legs": 4}})
            env = {**os.environ, "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("hooks.py"))}
            command = ["schemathesis", "run", f"{url}/openapi.json", "--checks", CHECKS, "--max-examples", EXAMPLES]
            command += ["--seed", SEED, "--phases", "examples,coverage,fuzzing", "--warnings", "off", "--continue-on-failure"]
            found = subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], cwd=data, env=env)
            if service.poll() is not None:
                print(f"The service ended while it was fuzzed, with status {service.returncode}.")
                return 1
            return found.returncode
        finally:
            service.terminate()
            service.wait(30)


if __name__ == "__main__":
    sys.exit(main())

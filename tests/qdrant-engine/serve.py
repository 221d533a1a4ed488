"""Qdrant's own engine behind the few REST calls that our adapter makes, for as long as a command runs:

    python tests/qdrant-engine/serve.py npx vitest run tests/contract/qdrant.test.ts

The command finds the server at QDRANT_URL. What this proves and what not: README.md beside this file."""
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from engine import Collection, Refused, only

#: The version of Qdrant whose API is spoken: that of compose.yaml.
VERSION = "1.18.2"


class Server:
    def __init__(self):
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        #: Requests one at a time, as the updates of a shard are in Qdrant.
        self.turn = threading.Lock()

    def answer(self, method: str, path: str, body: dict):
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match (method, *parts):
            case ("GET", ""):
                return {"title": "qdrant - vector search engine", "version": VERSION}
            case ("GET", "collections"):
                return {"collections": [{"name": name} for name in self.collections]}
            case ("GET", "aliases"):
                pairs = self.aliases.items()
                return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in pairs]}
            case ("POST", "collections", "aliases"):
                return self.change_aliases(body)
            case ("PUT", "collections", name):
                return self.create(name, body)
            case ("DELETE", "collections", name):
                return self.delete(name)
            # What changes a collection itself is not asked by an alias: whether Qdrant would take one is not documented.
            case ("PATCH", "collections", name) | (_, "collections", name, "vectors", _) if name in self.aliases:
                raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
            case (_, "collections", name, *rest):
                return self.on(self.found(name), method, rest, body)
        raise Refused(404, f"no such path here: {path}")

    def on(self, collection: Collection, method: str, rest: list, body: dict):
        match (method, *rest):
            case ("GET",):
                return collection.info()
            case ("PATCH",):
                return collection.patch(body)
            case ("PUT", "index"):
                return collection.index(body)
            case ("PUT", "vectors", name):
                return collection.add_vector(name, body)
            case ("DELETE", "vectors", name):
                return collection.drop_vector(name)
            case ("POST", "points"):
                return collection.retrieve(body)
            case ("POST", "points", "batch" | "scroll" | "count" | "query" as operation):
                return getattr(collection, operation)(body)
        raise Refused(404, f"no such operation here: {method} {rest}")

    def found(self, name: str) -> Collection:
        collection = self.collections.get(self.aliases.get(name, name))
        if collection is None:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return collection

    def create(self, name: str, body: dict) -> bool:
        if name in self.collections or name in self.aliases:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        self.collections[name] = Collection(body)
        return True

    def delete(self, name: str) -> bool:
        collection = self.collections.pop(name, None)
        if collection is not None:
            collection.close()
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != name}
        return collection is not None

    def change_aliases(self, body: dict) -> bool:
        (actions,) = only(body, "actions")
        for action in actions:
            (wanted,) = only(action, "create_alias")
            target, alias = only(wanted, "collection_name", "alias_name")
            if alias in self.collections:
                raise Refused(409, f"Wrong input: Collection `{alias}` already exists!")
            if target not in self.collections:
                raise Refused(404, f"Not found: Collection `{target}` doesn't exist!")
            self.aliases[alias] = target
        return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet an answer: in two, each would wait for the other side's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "Listener"

    def handle_request(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(length)
        path = urlsplit(self.path).path
        try:
            with self.server.qdrant.turn:
                result = self.server.qdrant.answer(self.command, path, json.loads(text) if text else {})
            status, answer = 200, result if path == "/" else {"result": result, "status": "ok", "time": 0}
        except Refused as error:
            status, answer = error.status, {"status": {"error": str(error)}, "time": 0}
        except Exception as error:  # what the engine refuses it raises as bare exceptions
            print(f"{self.command} {path}: {error!r}", file=sys.stderr)
            status = 404 if str(error).startswith("No point with id") else 400
            answer = {"status": {"error": str(error)}, "time": 0}
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def log_message(self, *_) -> None:
        pass


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    qdrant: Server


def main() -> int:
    listener = Listener(("127.0.0.1", 0), Handler)
    listener.qdrant = Server()
    url = f"http://127.0.0.1:{listener.server_port}"
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        return subprocess.run(sys.argv[1:], env={**os.environ, "QDRANT_URL": url}).returncode
    finally:
        listener.shutdown()
        for name in list(listener.qdrant.collections):
            listener.qdrant.delete(name)


if __name__ == "__main__":
    sys.exit(main())

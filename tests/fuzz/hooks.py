"""What schemathesis cannot tell from the contract: given to it by `fuzz.py` as SCHEMATHESIS_HOOKS."""
import json

import schemathesis

COLLECTION = "fuzzed"
ITEM = "one"


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    """One line; JSON without line breaks of its own."""
    return (json.dumps(value) + "\n").encode()


@schemathesis.serializer("image/*", "audio/*")
def some_bytes(_context, value):
    """No picture; the service is to say so."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.deserializer("application/x-ndjson")
def first_line(_context, response):
    """Every line is of one schema; the first stands for all."""
    return json.loads(response.content.split(b"\n", 1)[0])


@schemathesis.hook
def before_load_schema(_context, raw_schema):
    """Python's expressions know no \\p{…}; a client's own deadline makes 504s that are no fault."""
    item_id = raw_schema["components"]["schemas"]["ItemId"]
    item_id["pattern"] = r"^[A-Za-z0-9 _äßλ語'\"%-]{1,40}$"
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [each for each in parameters if not each.get("$ref", "").endswith("/TimeoutMs")]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the requests speak of what is there; deletions do not, so that it stays."""
    if not path_parameters or context.operation.method.upper() == "DELETE":
        return path_parameters
    if len(str(path_parameters)) % 2:
        known = {"collection": COLLECTION, "id": ITEM}
        return {name: known.get(name, value) for name, value in path_parameters.items()}
    return path_parameters

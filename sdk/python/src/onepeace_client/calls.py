"""A request as data, and what both clients decide alike: time limits, and when to try again."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional
from urllib.parse import quote

import httpx
from typing_extensions import NotRequired, TypedDict

from .content import Body
from .errors import OnepeaceError
from .json_object import JsonObject

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_MAX_RETRIES = 2
MAX_WAIT_S = 60.0
"""A wait that the service asks for is kept up to this; beyond it the error is the caller's to see."""
FIRST_WAIT_S = 0.5
WORTH_ANOTHER_TRY = (429, 502, 503)
"""Too many requests; a gateway that reached no service; a service that cannot work now."""
MAX_TIMEOUT_HEADER_MS = 600_000
"""The contract's bound of `x-timeout-ms`."""
GRACE_S = 1.0
"""The service says itself that time is up, in a problem; this long it may take to arrive."""
CONNECT_TIMEOUT_S = 10.0


class RequestOptions(TypedDict):
    """What every verb takes besides its own arguments."""

    timeout: NotRequired[Optional[float]]
    """Seconds for the whole call, retries included; the service is told, and drops what nobody waits for."""
    max_retries: NotRequired[int]
    """How often to try again; 2 by default."""


class WriteOptions(RequestOptions):
    idempotency_key: NotRequired[str]
    """Names this write, so that it happens once however often it is sent; a random one by default."""


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    json: Optional[JsonObject] = None
    form: Optional[List[Any]] = None
    content: Optional[bytes] = None
    params: Dict[str, Any] = field(default_factory=dict)
    headers: Dict[str, str] = field(default_factory=dict)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it goes to a storage, which is not to see the key."""
        return self.path.startswith(("http://", "https://"))

    def arguments(self, left_s: Optional[float]) -> Dict[str, Any]:
        """As httpx takes it. `left_s`: seconds the answer may still take."""
        headers = dict(self.headers)
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)
        if left_s is not None:
            headers["x-timeout-ms"] = str(min(MAX_TIMEOUT_HEADER_MS, max(1, int(left_s * 1000))))
            timeout = httpx.Timeout(left_s + GRACE_S)
        bodies = {"json": self.json, "files": self.form, "content": self.content}
        body = {name: value for name, value in bodies.items() if value is not None}
        return {"params": self.params, "headers": headers, "timeout": timeout, **body}


def post(path: str, body: Body, headers: Optional[Dict[str, str]] = None, method: str = "POST") -> Call:
    return Call(method, path, json=body.json, form=body.form, headers=headers or {})


def collection_path(name: str, *rest: str) -> str:
    return "/".join(["/v1/collections", quote(name, safe=""), *(quote(step, safe="") for step in rest)])


def job_path(id: str, *rest: str) -> str:
    return "/".join(["/v1/jobs", quote(id, safe=""), *rest])


def write_key(request: WriteOptions) -> str:
    return request.pop("idempotency_key", None) or uuid.uuid4().hex


def wait_before(error: Exception, tries: int) -> Optional[float]:
    """Seconds to wait before trying again, or None where that makes no sense."""
    growing = FIRST_WAIT_S * 2**tries * random.uniform(0.75, 1.25)
    if isinstance(error, OnepeaceError):
        if error.status not in WORTH_ANOTHER_TRY:
            return None
        wait = growing if error.retry_after is None else error.retry_after
        return wait if wait <= MAX_WAIT_S else None
    return growing if is_lost_connection(error) else None


def is_lost_connection(error: Exception) -> bool:
    return isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout))


def line_of(item: JsonObject) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode()

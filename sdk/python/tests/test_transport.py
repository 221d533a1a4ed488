"""What the client does when answers do not come: a transport of our own stands for the service."""

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Callable, Iterator, List

import httpx
import pytest

from onepeace_client import Client, OnepeaceError, ProblemError

Answer = Callable[[httpx.Request], httpx.Response]


def problem(code: str, status: int, retry_after: str = "") -> Answer:
    body = {"title": "", "status": status, "detail": f"It is {code}.", "code": code, "request_id": "r1"}
    headers = {"x-request-id": "r1", **({"retry-after": retry_after} if retry_after else {})}
    return lambda request: httpx.Response(status, json=body, headers=headers)


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("The connection is gone.", request=request)


def models(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"object": "list", "data": [], "limits": {}})


def item(request: httpx.Request) -> httpx.Response:
    return httpx.Response(201, json={"id": "a"})


def lines(*chunks: bytes, breaks: bool = False) -> Answer:
    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from chunks
            if breaks:
                raise httpx.RemoteProtocolError("incomplete")

    return lambda request: httpx.Response(200, stream=Body())


def result(index: int) -> bytes:
    return json.dumps({"index": index, "status": 201}).encode() + b"\n"


class Service:
    """Answers in turn; the last again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.requests: List[httpx.Request] = []
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        self.client = Client("http://service.test/", api_key="secret", http=http)

    def answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self.answers[min(len(self.requests), len(self.answers)) - 1](request)

    def headers(self, name: str) -> List[Any]:
        return [request.headers.get(name) for request in self.requests]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """Seconds that were waited, in no time."""
    waited: List[float] = []
    clock = [1000.0]

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("onepeace_client._sync.transport.time.sleep", sleep)
    monkeypatch.setattr("onepeace_client._sync.transport.time.monotonic", lambda: clock[0])
    return waited


def test_sends_the_key_and_joins_the_address() -> None:
    service = Service(models)
    service.client.models()
    assert str(service.requests[0].url) == "http://service.test/v1/models"
    assert service.headers("authorization") == ["Bearer secret"]


def test_waits_as_long_as_retry_after_says_in_seconds_or_as_a_date(waits: List[float]) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=50), usegmt=True)
    service = Service(problem("overloaded", 503, "7"), problem("rate-limited", 429, date), models)
    assert service.client.models()["object"] == "list"
    assert waits[0] == 7
    assert 40 < waits[1] <= 50


def test_gives_up_after_its_retries_or_at_once_where_trying_again_makes_no_sense(waits: List[float]) -> None:
    service = Service(problem("overloaded", 503, "7"))
    with pytest.raises(ProblemError) as raised:
        service.client.models()
    assert (raised.value.code, raised.value.request_id, raised.value.retry_after) == ("overloaded", "r1", 7)
    assert len(service.requests) == 3
    for answer, options in [
        (problem("overloaded", 503, "7"), {"max_retries": 0}),
        (problem("overloaded", 503, "3600"), {}),
        (problem("internal", 500), {}),
    ]:
        once = Service(answer)
        with pytest.raises(ProblemError):
            once.client.models(**options)
        assert len(once.requests) == 1


def test_repeats_writes_under_one_key_after_a_lost_connection() -> None:
    service = Service(lost, item)
    service.client.items.add("c", b"bytes", metadata={"a": 1})
    keys = service.headers("idempotency-key")
    assert len(set(keys)) == 1
    assert len(keys) == 2
    assert b"bytes" in service.requests[1].content
    named = Service(lost, item)
    named.client.collections.create("c", idempotency_key="mine")
    assert named.headers("idempotency-key") == ["mine", "mine"]
    put = Service(lost, item)
    put.client.items.put("c", "a", "x")
    assert put.headers("idempotency-key") == [None, None]


def test_sends_a_broken_batch_again_under_its_key_and_gives_only_the_rest() -> None:
    service = Service(
        problem("overloaded", 503, "1"),
        lost,
        lines(result(0), b'{"index":1,', breaks=True),
        lines(result(0) + result(1), result(2)),
    )
    results = service.client.items.batch("c", ({"input": text} for text in "xyz"))
    assert [each["index"] for each in results] == [0, 1, 2]
    assert len(set(service.headers("idempotency-key"))) == 1
    assert len(service.requests) == 4
    assert service.requests[0].content == b'{"input": "x"}\n{"input": "y"}\n{"input": "z"}'


def test_says_so_when_a_batch_ends_again_and_again_too_early() -> None:
    service = Service(lines(result(0)))
    with pytest.raises(ConnectionError, match="1 of 2"):
        list(service.client.items.batch("c", [{"input": "x"}, {"input": "y"}]))
    assert len(service.requests) == 3


def test_tells_how_much_time_is_left_and_does_not_wait_past_it(waits: List[float]) -> None:
    service = Service(problem("overloaded", 503, "7"), models)
    service.client.models(timeout=10)
    assert service.headers("x-timeout-ms") == ["10000", "3000"]
    hurried = Service(problem("overloaded", 503, "7"))
    with pytest.raises(ProblemError):
        hurried.client.models(timeout=5)
    assert len(hurried.requests) == 1


def test_says_plainly_that_an_answer_is_not_the_services() -> None:
    service = Service(lambda request: httpx.Response(404, text="<html>Not here</html>"))
    with pytest.raises(OnepeaceError, match="HTTP 404, and no problem of onepeace.*Not here") as raised:
        service.client.models()
    assert not isinstance(raised.value, ProblemError)


def test_a_thing_that_is_no_input_is_refused() -> None:
    with pytest.raises(TypeError, match="not int"):
        Service(models).client.embed(5)  # type: ignore[arg-type]

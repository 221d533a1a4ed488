"""Every verb of both clients against a live service. A test is written once, for the asynchronous client, and runs with both."""

import asyncio
import base64
import io
import math
import re
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Coroutine, Iterator, List

import pytest

from onepeace_client import AsyncClient, Client, NewItem, ProblemError

Run = Callable[[Callable[[Any], Coroutine[Any, Any, None]]], None]


class Awaited:
    """The synchronous client as if it were asynchronous."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.real, name)
        if name in ("collections", "items", "jobs"):
            return Awaited(value)

        def call(*args: Any, **options: Any) -> Any:
            if name in ("batch", "errors") or (name == "list" and type(self.real).__name__ in ("Items", "Jobs")):
                return self._stream(value(*args, **options))
            return self._result(value, args, options)

        return call

    async def _result(self, method: Any, args: Any, options: Any) -> Any:
        return method(*args, **options)

    async def _stream(self, results: Iterator[Any]) -> AsyncIterator[Any]:
        for result in results:
            yield result


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest, service: str) -> Run:
    def run_sync(test: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        with Client(service) as client:
            asyncio.run(test(Awaited(client)))

    async def with_async(test: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        async with AsyncClient(service) as client:
            await test(client)

    return run_sync if request.param == "sync" else lambda test: asyncio.run(with_async(test))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A collection's name of this test's own."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name[::-1].lower()).strip("-")[:60].strip("-")


def code_of(raised: "pytest.ExceptionInfo[ProblemError]") -> str:
    return raised.value.code


def test_one_vector_for_a_text_and_one_each_for_a_list(run: Run) -> None:
    async def test(client: Any) -> None:
        answer = await client.embed("a dog")
        assert len(answer["data"]) == 1
        assert math.hypot(*answer["data"][0]["embedding"]) == pytest.approx(1, abs=1e-5)
        assert (await client.models())["data"][0]["id"] == answer["model"]
        assert [each["index"] for each in (await client.embed(["a dog", "a cat"]))["data"]] == [0, 1]

    run(test)


def test_the_same_picture_as_path_bytes_open_file_and_part(run: Run, media: Path) -> None:
    async def test(client: Any) -> None:
        path = media / "pizza.png"
        data = path.read_bytes()
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(data).decode()}"}}
        with path.open("rb") as file:
            by_form = (await client.embed([path, data, bytearray(data), file, io.BytesIO(data)]))["data"]
        by_json = (await client.embed([part, path, "pizza"]))["data"]
        assert len(by_form) == 5
        for each in by_form + by_json[:2]:
            assert each["modality"] == "image"
            assert each["embedding"] == by_form[0]["embedding"]
        assert by_json[2]["modality"] == "text"

    run(test)


def test_a_file_is_sent_ahead_and_used_wherever_content_goes(run: Run, media: Path) -> None:
    async def test(client: Any) -> None:
        path = media / "pizza.png"
        ahead = await client.upload(path)
        typed = await client.upload(path.read_bytes(), "image/png")
        data = (await client.embed([ahead, typed, path, {"content": [{**ahead, "weight": 2}]}]))["data"]
        for each in data:
            assert each["embedding"] == data[0]["embedding"]
        with pytest.raises(TypeError, match="Say what the file is"):
            await client.upload(path.read_bytes())
        with pytest.raises(ProblemError) as raised:
            await client.upload(path, "text/html")
        assert code_of(raised) == "invalid-request"

    run(test)


def test_weighted_parts_make_one_vector(run: Run, media: Path) -> None:
    async def test(client: Any) -> None:
        sound = media / "helicopter.wav"
        text, heard = (each["embedding"] for each in (await client.embed(["at night", sound]))["data"])
        parts = [{"type": "text", "text": "at night"}, {"type": "file", "file": sound, "weight": 0.5}]
        fused = (await client.embed({"content": parts}))["data"][0]
        assert fused["modality"] == "mixed"
        total = [a + 0.5 * b for a, b in zip(text, heard)]
        cosine = sum(a * b for a, b in zip(fused["embedding"], total)) / math.hypot(*total)
        assert cosine == pytest.approx(1, abs=1e-4)

    run(test)


def test_similarity_in_rows_and_columns(run: Run, media: Path) -> None:
    async def test(client: Any) -> None:
        picture = media / "pizza.png"
        scores = (await client.similarity([picture, "pizza"], ["pizza", "a helicopter", picture]))["scores"]
        assert [len(row) for row in scores] == [3, 3]
        assert scores[0][2] == pytest.approx(1, abs=1e-4)
        assert scores[0][0] > scores[0][1]

    run(test)


def test_classes_by_words_and_by_a_head(run: Run, media: Path) -> None:
    async def test(client: Any) -> None:
        sound = media / "rain.wav"
        classes = await client.classify(sound, ["a helicopter", "rain"], template="the sound of {}")
        assert classes["results"][0]["label"] == "rain"
        assert (await client.classify(sound, head="sound-class"))["head"] == "sound-class"
        masks = await client.segment(media / "dog.png")
        assert masks["head"] == "segmentation"
        assert sum(length for _, length in masks["map"]["runs"]) == masks["map"]["width"] * masks["map"]["height"]

    run(test)


def test_typed_problems(run: Run, media: Path) -> None:
    async def test(client: Any) -> None:
        picture = media / "dog.png"
        with pytest.raises(ProblemError) as raised:
            await client.embed(picture, dimensions=7)
        assert code_of(raised) == "unsupported-by-model"
        assert raised.value.status == 422
        with pytest.raises(ProblemError) as raised:
            await client.ask(picture, "What is it?", head="none")
        assert code_of(raised) == "not-found"
        with pytest.raises(ProblemError) as raised:
            await client.embed(["fine", b"no picture"])
        assert code_of(raised) == "unsupported-media-type"
        assert raised.value.index == 1
        assert raised.value.request_id
        with pytest.raises(ProblemError) as raised:
            await client.search("missing", "x", limit=0)
        assert raised.value.errors[0]["pointer"] == "/limit"

    run(test)


def test_collections(run: Run, name: str) -> None:
    async def test(client: Any) -> None:
        assert (await client.collections.create(name, metadata={"owner": "ada"}))["items"] == 0
        with pytest.raises(ProblemError) as raised:
            await client.collections.create(name)
        assert code_of(raised) == "conflict"
        assert name in [each["name"] for each in await client.collections.list()]
        assert (await client.collections.get(name))["metadata"] == {"owner": "ada"}
        await client.collections.delete(name)
        with pytest.raises(ProblemError) as raised:
            await client.collections.get(name)
        assert code_of(raised) == "not-found"

    run(test)


def test_items_found_by_words_sounds_pictures_mixtures_and_each_other(run: Run, name: str, media: Path) -> None:
    async def test(client: Any) -> None:
        await client.collections.create(name)
        picture, sound = media / "pizza.png", media / "helicopter.wav"
        metadata = {"year": 2026, "tags": ["food"]}
        added = await client.items.add(name, picture, id="a/b", metadata=metadata)
        assert (added["id"], added["metadata"]) == ("a/b", metadata)
        await client.items.put(name, "heli", sound)
        await client.items.put(name, "heli", sound, metadata={"loud": True})
        await client.items.add(name, "a dog on the beach", id="note")

        async def first(query: Any, **options: Any) -> str:
            return str((await client.search(name, query, **options))["hits"][0]["id"])

        assert await first("pizza", modalities=["image"], limit=1) == "a/b"
        assert await first(sound) == "heli"
        assert await first(picture, filter={"must": [{"key": "year", "range": {"gte": 2020}}]}) == "a/b"
        assert await first({"item_id": "a/b"}, modalities=["audio"]) == "heli"
        away = {"type": "file", "file": picture, "weight": -1}
        assert await first({"content": [away, {"type": "text", "text": "a dog"}]}) == "note"
        hit = (await client.search(name, "pizza", limit=1, offset=1, include=["embedding"]))["hits"][0]
        assert set(hit) == {"id", "score", "modality", "embedding", "media_url"}

        assert (await client.items.get(name, "heli"))["metadata"] == {"loud": True}
        assert await client.items.media(name, "a/b") == picture.read_bytes()
        assert (await client.items.thumbnail(name, "a/b", size=32))[8:12] == b"WEBP"
        await client.items.delete(name, "note")
        with pytest.raises(ProblemError) as raised:
            await client.items.get(name, "note")
        assert code_of(raised) == "not-found"

    run(test)


def test_writes_once_under_one_key_however_often_it_is_sent(run: Run, name: str) -> None:
    async def test(client: Any) -> None:
        await client.collections.create(name)
        first, second = [await client.items.add(name, "a dog", idempotency_key=f"{name}.add") for _ in range(2)]
        assert first == second

        async def batch() -> List[Any]:
            items: List[NewItem] = [{"input": "a cat"}]
            return [each async for each in client.items.batch(name, items, idempotency_key=f"{name}.batch")]

        assert await batch() == await batch()
        assert (await client.collections.get(name))["items"] == 2
        with pytest.raises(ProblemError) as raised:
            await client.items.add(name, "a cow", idempotency_key=f"{name}.add")
        assert code_of(raised) == "idempotency-key-reused"

    run(test)


def test_many_items_as_an_iterator_gives_them_then_listed_page_by_page(run: Run, name: str, media: Path) -> None:
    async def test(client: Any) -> None:
        await client.collections.create(name)
        given: List[int] = []

        def items() -> Iterator[NewItem]:
            for number in range(70):
                given.append(number)
                if number == 60:
                    yield {"id": "item-000", "input": "this id is taken"}
                # U+2028 ends a line for many, but not in NDJSON.
                metadata = {"even": number % 2 == 0, "text": "one\u2028two"}
                yield {"id": f"item-{number:03}", "input": f"word {number}", "metadata": metadata}
            yield {"id": "picture", "input": media / "dog.png"}
            yield {"id": "sound", "input": media / "rain.wav"}

        results, given_at_first = [], 0
        async for result in client.items.batch(name, items()):
            given_at_first = given_at_first or len(given)
            results.append(result)
        assert given_at_first < 70
        assert [result["index"] for result in results] == list(range(73))
        refused = [result for result in results if result["status"] != 201]
        assert [(result["index"], result["error"]["code"]) for result in refused] == [(60, "conflict")]
        assert results[-1]["item"]["modality"] == "audio"
        assert results[0]["item"]["metadata"]["text"] == "one\u2028two"

        listed = [item async for item in client.items.list(name, page_size=20)]
        assert len(listed) == 72
        even = {"must": [{"key": "even", "match": {"value": True}}]}
        assert len([item async for item in client.items.list(name, filter=even, page_size=20)]) == 35

    run(test)


def test_an_import_is_a_job_with_failed_lines_and_an_answer_may_be_waited_for(run: Run, name: str, media: Path) -> None:
    async def check(client: AsyncClient) -> None:
        await client.collections.create(name)
        items: List[NewItem] = [
            {"id": "one", "input": "a dog"},
            {"id": "one", "input": "again"},
            {"input": media / "dog.png", "metadata": {"n": 3}},
        ]
        states: List[str] = []
        taken = await client.jobs.import_items(name, items)
        job = await client.jobs.wait(taken["id"], every=0.05, on_progress=lambda job: states.append(job["state"]))
        assert job["state"] == "completed" == states[-1]
        assert (job["counts"]["succeeded"], job["counts"]["failed"]) == (2, 1)
        assert [line["error"]["code"] async for line in client.jobs.errors(job["id"])] == ["conflict"]
        assert job["id"] in [each["id"] async for each in client.jobs.list()]
        lines = b'{"input": "from a file"}'
        again = [await client.jobs.import_items(name, lines, idempotency_key=f"{name}-twice") for _ in range(2)]
        assert again[0]["id"] == again[1]["id"]
        assert (await client.jobs.cancel(again[0]["id"]))["state"] in ("cancelled", "completed")
        asked = await client.jobs.add(name, media / "dog.png", id="later")
        kept = await client.jobs.wait(asked["id"], every=0.05)
        assert kept["result"] == await client.items.get(name, "later")
        vectors = await client.jobs.wait((await client.jobs.embed("a dog"))["id"], every=0.05)
        expected = (await client.embed("a dog"))["data"][0]["embedding"]
        answer: Any = vectors["result"]
        assert answer["data"][0]["embedding"] == pytest.approx(expected)

    run(check)


def test_a_call_whose_time_is_over_is_given_up(run: Run) -> None:
    async def test(client: Any) -> None:
        texts = [f"a long list of texts, of which this is number {number}" for number in range(2000)]
        with pytest.raises(ProblemError) as raised:
            await client.embed(texts, timeout=0.05)
        assert code_of(raised) == "deadline-exceeded"

    run(test)

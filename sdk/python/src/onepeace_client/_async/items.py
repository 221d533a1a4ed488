"""`client.items`: texts, pictures and sounds that are kept in a collection."""

from __future__ import annotations

import json
from typing import AsyncGenerator, AsyncIterable, Iterable, List, Optional, Union, cast

from typing_extensions import NotRequired, TypedDict, Unpack

from ..calls import (
    Call,
    RequestOptions,
    WriteOptions,
    collection_path,
    is_lost_connection,
    line_of,
    post,
    write_key,
)
from ..content import Body, Input, body_of, content_of
from ..contract import BatchResult, Filter, Item
from ..each import aeach
from ..json_object import JsonObject
from .transport import AsyncTransport

BATCH_LINES = 64
BATCH_BYTES = 8 * 1024 * 1024
BATCH_METADATA_BYTES = 128 * 1024
"""httpx reads no answer before all is sent: what comes back, metadata above all, must fit what the network holds meanwhile."""


class NewItem(TypedDict):
    input: Input
    id: NotRequired[str]
    """One is made, sortable by time, if absent."""
    metadata: NotRequired[JsonObject]


class AsyncItems:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def add(
        self,
        collection: str,
        input: Input,
        *,
        id: Optional[str] = None,
        metadata: Optional[JsonObject] = None,
        **request: Unpack[WriteOptions],
    ) -> Item:
        """Embeds one thing and keeps it. :raises ProblemError: `conflict` if the id is taken"""
        body = _body(input, {"id": id, "metadata": metadata})
        headers = {"idempotency-key": write_key(request)}
        call = post(collection_path(collection, "items"), body, headers)
        return cast(Item, await self._transport.json(call, request))

    async def put(
        self,
        collection: str,
        id: str,
        input: Input,
        *,
        metadata: Optional[JsonObject] = None,
        **request: Unpack[RequestOptions],
    ) -> Item:
        """Creates or replaces."""
        call = post(collection_path(collection, "items", id), _body(input, {"metadata": metadata}), method="PUT")
        return cast(Item, await self._transport.json(call, request))

    async def get(self, collection: str, id: str, **request: Unpack[RequestOptions]) -> Item:
        """:raises ProblemError: `not-found`"""
        return cast(Item, await self._transport.json(Call("GET", collection_path(collection, "items", id)), request))

    async def delete(self, collection: str, id: str, **request: Unpack[RequestOptions]) -> None:
        """:raises ProblemError: `not-found`"""
        await self._transport.send(Call("DELETE", collection_path(collection, "items", id)), request)

    async def list(
        self,
        collection: str,
        *,
        filter: Optional[Filter] = None,
        page_size: Optional[int] = None,
        **request: Unpack[RequestOptions],
    ) -> AsyncGenerator[Item, None]:
        """All items in order of id, a page (100, at most 1000 items) at a time as they are asked for."""
        params = {"filter": filter and json.dumps(filter), "limit": page_size, "cursor": None}
        while True:
            given = {name: value for name, value in params.items() if value is not None}
            page = await self._transport.json(Call("GET", collection_path(collection, "items"), params=given), request)
            for item in page["items"]:
                yield item
            params["cursor"] = page.get("next_cursor")
            if params["cursor"] is None:
                return

    async def batch(
        self, collection: str, items: Union[Iterable[NewItem], AsyncIterable[NewItem]], **request: Unpack[WriteOptions]
    ) -> AsyncGenerator[BatchResult, None]:
        """
        Embeds and keeps many things: takes items as it has room for them, gives one result each, in order, as they finish; a bad
        item fails alone (`status`, `error`). They travel in requests of up to 64; one whose connection breaks is sent again, and
        what was kept before is not kept twice. `timeout` is for each request.
        """
        key = write_key(request)
        before = 0
        async for lines in _gather(items):
            async for result in self._results(collection, lines, f"{key}.{before}", request):
                yield {**result, "index": before + result["index"]}
            before += len(lines)

    async def _results(
        self, collection: str, lines: List[bytes], key: str, request: RequestOptions
    ) -> AsyncGenerator[BatchResult, None]:
        """Of a connection that breaks while results arrive, the next one gives the rest."""
        headers = {"content-type": "application/x-ndjson", "idempotency-key": key}
        path = collection_path(collection, "items", "batch")
        call = Call("POST", path, content=b"\n".join(lines), headers=headers)
        seen = tries = 0
        while seen < len(lines):
            lost: Optional[Exception] = None
            response = await self._transport.open(call, request)
            try:
                async for line in _lines(response.aiter_bytes()):
                    result = cast(BatchResult, json.loads(line))
                    if result["index"] >= seen:
                        seen += 1
                        yield result
            except Exception as error:
                if not is_lost_connection(error):
                    raise
                lost = error
            finally:
                await response.aclose()
            if seen < len(lines) and tries >= self._transport.retries(request):
                raise lost or ConnectionError(f"The service answered {seen} of {len(lines)} items.")
            tries += 1

    async def media(self, collection: str, id: str, **request: Unpack[RequestOptions]) -> bytes:
        """The original bytes. :raises ProblemError: `not-found`"""
        call = Call("GET", collection_path(collection, "items", id, "media"))
        return (await self._transport.send(call, request)).content

    async def thumbnail(
        self, collection: str, id: str, *, size: Optional[int] = None, **request: Unpack[RequestOptions]
    ) -> bytes:
        """A picture as WebP, shrunk to fit a square of `size` pixels (16 to 1024, 320 by default)."""
        params = {} if size is None else {"size": size}
        call = Call("GET", collection_path(collection, "items", id, "thumbnail"), params=params)
        return (await self._transport.send(call, request)).content


def _body(input: Input, options: JsonObject) -> Body:
    return body_of([input], lambda contents: {"input": contents[0]}, options)


async def _gather(items: Union[Iterable[NewItem], AsyncIterable[NewItem]]) -> AsyncGenerator[List[bytes], None]:
    """Lines for one request each; a line that is longer by itself goes alone."""
    lines: List[bytes] = []
    size = metadata_size = 0
    async for item in aeach(items):
        line = line_of({**item, "input": content_of(item["input"])})
        metadata = len(line_of(item.get("metadata", {})))
        is_full = size + len(line) > BATCH_BYTES or metadata_size + metadata > BATCH_METADATA_BYTES
        if lines and (is_full or len(lines) == BATCH_LINES):
            yield lines
            lines, size, metadata_size = [], 0, 0
        lines.append(line)
        size += len(line)
        metadata_size += metadata
    if lines:
        yield lines


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Lines as NDJSON ends them; httpx's own would also break a line at U+2028 within a string."""
    held = b""
    async for chunk in chunks:
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
    if held:
        yield held

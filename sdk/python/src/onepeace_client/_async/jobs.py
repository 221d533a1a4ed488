"""`client.jobs`: work that goes on after the answer. Imports of any length, and what is asked for without waiting."""

from __future__ import annotations

from typing import Any, AsyncGenerator, AsyncIterable, Callable, Dict, Iterable, Optional, Sequence, Union, cast

from typing_extensions import Unpack

from ..calls import Call, RequestOptions, WriteOptions, collection_path, job_path, line_of, post, write_key
from ..content import Input, body_of, content_of
from ..contract import ImportUrl, Job, JobError
from ..each import aeach
from ..json_object import JsonObject
from .items import NewItem
from .transport import AsyncTransport

PREFER = {"prefer": "respond-async"}


class AsyncJobs:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def import_items(
        self,
        collection: str,
        source: Union[bytes, Iterable[Union[NewItem, ImportUrl]], AsyncIterable[Union[NewItem, ImportUrl]]],
        **request: Unpack[WriteOptions],
    ) -> Job:
        """
        Has any number of things embedded and kept; returns when the service has all of them on disk.

        :param source: items, gathered in memory before they are sent, some of them maybe by their `url`; or bytes of NDJSON
        """
        if isinstance(source, bytes):
            content = source
        else:
            content = b"\n".join([_line(item) async for item in aeach(source)])
        headers = {"idempotency-key": write_key(request), "content-type": "application/x-ndjson"}
        call = Call("POST", collection_path(collection, "imports"), content=content, headers=headers)
        return cast(Job, await self._transport.json(call, request))

    async def embed(self, inputs: Union[Input, Sequence[Input]], **request: Unpack[RequestOptions]) -> Job:
        """As `client.embed`, without waiting: `result` of the finished job is the answer."""
        contents = cast(Sequence[Input], inputs if isinstance(inputs, (list, tuple)) else [inputs])
        body = body_of(contents, lambda contents: {"input": contents}, {})
        return cast(Job, await self._transport.json(post("/v1/embeddings", body, dict(PREFER)), request))

    async def add(
        self,
        collection: str,
        input: Input,
        *,
        id: Optional[str] = None,
        metadata: Optional[JsonObject] = None,
        **request: Unpack[WriteOptions],
    ) -> Job:
        """As `client.items.add`, without waiting: `result` of the finished job is the item."""
        body = body_of([input], lambda contents: {"input": contents[0]}, {"id": id, "metadata": metadata})
        headers = {"idempotency-key": write_key(request), **PREFER}
        call = post(collection_path(collection, "items"), body, headers)
        return cast(Job, await self._transport.json(call, request))

    async def get(self, id: str, **request: Unpack[RequestOptions]) -> Job:
        """:raises ProblemError: `not-found`"""
        return cast(Job, await self._transport.json(Call("GET", job_path(id)), request))

    async def wait(
        self,
        id: str,
        *,
        every: float = 1.0,
        on_progress: Optional[Callable[[Job], object]] = None,
        **request: Unpack[RequestOptions],
    ) -> Job:
        """Asks every so many seconds until the job is finished, whichever way."""
        while True:
            job = await self.get(id, **request)
            if on_progress is not None:
                on_progress(job)
            if job["state"] not in ("queued", "running"):
                return job
            await self._transport.pause(every)

    async def list(self, **request: Unpack[RequestOptions]) -> AsyncGenerator[Job, None]:
        """All, newest first, a page at a time as they are asked for."""
        params: Dict[str, Any] = {}
        while True:
            page = await self._transport.json(Call("GET", "/v1/jobs", params=params), request)
            for job in page["jobs"]:
                yield cast(Job, job)
            if "next_cursor" not in page:
                return
            params = {"cursor": page["next_cursor"]}

    async def errors(self, id: str, **request: Unpack[RequestOptions]) -> AsyncGenerator[JobError, None]:
        """Lines that failed, in order, those so far. :raises ProblemError: `not-found`"""
        params: Dict[str, Any] = {}
        while True:
            page = await self._transport.json(Call("GET", job_path(id, "errors"), params=params), request)
            for line in page["errors"]:
                yield cast(JobError, line)
            if "next_cursor" not in page:
                return
            params = {"cursor": page["next_cursor"]}

    async def cancel(self, id: str, **request: Unpack[RequestOptions]) -> Job:
        """What is kept stays. :returns: the job as it is now. :raises ProblemError: `not-found`"""
        return cast(Job, await self._transport.json(Call("DELETE", job_path(id)), request))


def _line(item: Union[NewItem, ImportUrl]) -> bytes:
    wire = cast(JsonObject, dict(item))
    if "input" in wire:
        wire["input"] = content_of(cast(Input, wire["input"]))
    return line_of(wire)

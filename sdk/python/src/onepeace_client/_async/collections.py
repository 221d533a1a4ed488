"""`client.collections`: named sets of items."""

from __future__ import annotations

from typing import List, Optional, cast

from typing_extensions import Unpack

from ..calls import Call, RequestOptions, WriteOptions, collection_path, write_key
from ..contract import Collection
from ..json_object import JsonObject
from .transport import AsyncTransport


class AsyncCollections:
    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self, name: str, *, metadata: Optional[JsonObject] = None, **request: Unpack[WriteOptions]
    ) -> Collection:
        """:raises ProblemError: `conflict` if it exists"""
        body: JsonObject = {"name": name}
        if metadata is not None:
            body["metadata"] = metadata
        call = Call("POST", "/v1/collections", json=body, headers={"idempotency-key": write_key(request)})
        return cast(Collection, await self._transport.json(call, request))

    async def get(self, name: str, **request: Unpack[RequestOptions]) -> Collection:
        """:raises ProblemError: `not-found`"""
        return cast(Collection, await self._transport.json(Call("GET", collection_path(name)), request))

    async def list(self, **request: Unpack[RequestOptions]) -> List[Collection]:
        """All, in order of name."""
        answer = await self._transport.json(Call("GET", "/v1/collections"), request)
        return cast(List[Collection], answer["collections"])

    async def delete(self, name: str, **request: Unpack[RequestOptions]) -> None:
        """With everything in it. :raises ProblemError: `not-found`"""
        await self._transport.send(Call("DELETE", collection_path(name)), request)

"""
Sends requests: the key, time limits and retries. Every request may be repeated without harm, as it reads, is idempotent, or bears
an `Idempotency-Key`; so it is tried again after a 429, 502 or 503 and after a lost connection.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, Optional

import httpx

from ..calls import DEFAULT_MAX_RETRIES, Call, RequestOptions, wait_before
from ..errors import error_of


class AsyncTransport:
    def __init__(
        self,
        url: str,
        api_key: Optional[str],
        headers: Optional[Dict[str, str]],
        defaults: RequestOptions,
        http: Optional[httpx.AsyncClient],
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {**(headers or {}), **({"authorization": f"Bearer {api_key}"} if api_key else {})}
        self._defaults = defaults
        self._http = http or httpx.AsyncClient()

    def retries(self, request: RequestOptions) -> int:
        return request.get("max_retries", self._defaults.get("max_retries", DEFAULT_MAX_RETRIES))

    async def send(self, call: Call, request: RequestOptions) -> httpx.Response:
        """
        :raises ProblemError, OnepeaceError: the service refused it
        :raises httpx.TransportError: there was no answer, or none in time
        """
        response = await self.open(call, request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    async def json(self, call: Call, request: RequestOptions) -> Any:
        return (await self.send(call, request)).json()

    async def open(self, call: Call, request: RequestOptions) -> httpx.Response:
        """The answer before its body; whoever opens it closes it."""
        timeout = request.get("timeout", self._defaults.get("timeout"))
        deadline = None if timeout is None else time.monotonic() + timeout
        tries = 0
        while True:
            error: Exception
            try:
                left = None if deadline is None else deadline - time.monotonic()
                response = await self._once(call, left)
                if response.is_success:
                    return response
                await response.aread()
                error = error_of(response)
            except httpx.TransportError as lost:
                error = lost
            wait = wait_before(error, tries)
            is_too_late = deadline is not None and time.monotonic() + (wait or 0) >= deadline
            if wait is None or tries >= self.retries(request) or is_too_late:
                raise error
            await asyncio.sleep(wait)
            tries += 1

    async def _once(self, call: Call, left_s: Optional[float]) -> httpx.Response:
        arguments = call.arguments(left_s)
        arguments["headers"] = {**self._headers, **arguments["headers"]}
        if call.is_elsewhere:
            arguments["headers"] = call.headers
        request = self._http.build_request(
            call.method, call.path if call.is_elsewhere else self._url + call.path, **arguments
        )
        return await self._http.send(request, stream=True)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def aclose(self) -> None:
        await self._http.aclose()

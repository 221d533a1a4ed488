"""One loop over what may be an iterable or an asynchronous one."""

from __future__ import annotations

from typing import AsyncGenerator, AsyncIterable, Iterable, TypeVar, Union

T = TypeVar("T")


def each(source: Iterable[T]) -> Iterable[T]:
    return source


async def aeach(source: Union[Iterable[T], AsyncIterable[T]]) -> AsyncGenerator[T, None]:
    if isinstance(source, AsyncIterable):
        async for element in source:
            yield element
    else:
        for element in source:
            yield element

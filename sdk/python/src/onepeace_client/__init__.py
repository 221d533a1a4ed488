"""Client of onepeace: one vector space for text, pictures and sounds, with a store to search it. See README.md."""

from ._async.client import AsyncClient
from ._async.collections import AsyncCollections
from ._async.items import AsyncItems
from ._sync.client import Client
from ._sync.collections import Collections
from ._sync.items import Items, NewItem
from .content import FilePart, Input, Media, MixedContent
from .errors import OnepeaceError, ProblemError

__all__ = [
    "AsyncClient",
    "AsyncCollections",
    "AsyncItems",
    "Client",
    "Collections",
    "FilePart",
    "Input",
    "Items",
    "Media",
    "MixedContent",
    "NewItem",
    "OnepeaceError",
    "ProblemError",
]

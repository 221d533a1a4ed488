"""Client of onepeace: one vector space for text, pictures and sounds, with a store to search it. See README.md."""

from ._async.client import AsyncClient
from ._async.collections import AsyncCollections
from ._async.items import AsyncItems
from ._async.jobs import AsyncJobs
from ._sync.client import Client
from ._sync.collections import Collections
from ._sync.items import Items, NewItem
from ._sync.jobs import Jobs
from .content import FilePart, Input, Media, MixedContent
from .errors import OnepeaceError, ProblemError

__all__ = [
    "AsyncClient",
    "AsyncCollections",
    "AsyncItems",
    "AsyncJobs",
    "Client",
    "Collections",
    "FilePart",
    "Input",
    "Items",
    "Jobs",
    "Media",
    "MixedContent",
    "NewItem",
    "OnepeaceError",
    "ProblemError",
]

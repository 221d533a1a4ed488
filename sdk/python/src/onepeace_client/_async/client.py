"""The verbs of the service. Answers are as the contract has them; inputs may be paths, bytes and open files as well."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type, Union, cast

import httpx
from typing_extensions import Self, Unpack

from ..calls import DEFAULT_MAX_RETRIES, DEFAULT_URL, Call, RequestOptions, collection_path, post
from ..content import Body, FilePart, Input, Media, body_of, file_of, vector_of
from ..contract import (
    AskResponse,
    ClassifyResponse,
    EmbeddingsResponse,
    Filter,
    GroundResponse,
    ImageUrlPart,
    Include,
    ItemQuery,
    Modality,
    ModelList,
    SearchResponse,
    SegmentResponse,
    SimilarityResponse,
    UploadPart,
)
from ..json_object import JsonObject
from .collections import AsyncCollections
from .items import AsyncItems
from .jobs import AsyncJobs
from .transport import AsyncTransport


class AsyncClient:
    """
    :param url: address of the service
    :param api_key: a key made by `onepeace keys create`, if the service asks for one
    :param timeout: seconds for a call, retries included; the service is told, and drops what nobody waits for
    :param max_retries: how often to try again after 429, 502, 503 and lost connections
    :param headers: sent with every request
    :param http: a client of httpx to send with, e.g. for proxies; closed with this one
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: Optional[str] = None,
        timeout: Optional[float] = None,
        max_retries: int = DEFAULT_MAX_RETRIES,
        headers: Optional[Dict[str, str]] = None,
        http: Optional[httpx.AsyncClient] = None,
    ) -> None:
        defaults: RequestOptions = {"timeout": timeout, "max_retries": max_retries}
        self._transport = AsyncTransport(url, api_key, headers, defaults, http)
        self.collections = AsyncCollections(self._transport)
        self.items = AsyncItems(self._transport)
        self.jobs = AsyncJobs(self._transport)

    async def embed(
        self,
        inputs: Union[Input, Sequence[Input]],
        *,
        model: Optional[str] = None,
        dimensions: Optional[int] = None,
        **request: Unpack[RequestOptions],
    ) -> EmbeddingsResponse:
        """One unit vector an input, all in one space. A list is as many inputs; the vector of `inputs[i]` is `data[i]`."""
        options = {"model": model, "dimensions": dimensions, "encoding_format": "base64"}
        contents = cast(Sequence[Input], inputs if isinstance(inputs, (list, tuple)) else [inputs])
        body = body_of(contents, lambda contents: {"input": contents}, options)
        answer = cast(EmbeddingsResponse, await self._transport.json(post("/v1/embeddings", body), request))
        for each in answer["data"]:
            each["embedding"] = vector_of(cast(str, each["embedding"]))
        return answer

    async def similarity(
        self, a: Sequence[Input], b: Sequence[Input], **request: Unpack[RequestOptions]
    ) -> SimilarityResponse:
        """Cosines: `scores[i][j]` is that of `a[i]` and `b[j]`."""
        body = body_of(
            [*a, *b],
            lambda contents: {"a": contents[: len(a)], "b": contents[len(a) :]},
            {},
            names=lambda index: ("a", "a") if index < len(a) else ("b", "b"),
        )
        return cast(SimilarityResponse, await self._transport.json(post("/v1/similarity", body), request))

    async def classify(
        self,
        input: Input,
        labels: Optional[List[str]] = None,
        *,
        template: Optional[str] = None,
        head: Optional[str] = None,
        **request: Unpack[RequestOptions],
    ) -> ClassifyResponse:
        """Which of `labels` fits (zero-shot), or the classes of a fine-tuned `head`; best first."""
        body = _body("input", input, {"labels": labels, "template": template, "head": head})
        return cast(ClassifyResponse, await self._transport.json(post("/v1/classify", body), request))

    async def ground(
        self,
        image: Union[Media, FilePart, ImageUrlPart],
        phrases: List[str],
        *,
        head: Optional[str] = None,
        **request: Unpack[RequestOptions],
    ) -> GroundResponse:
        """Where in a picture phrases are: a box each. :raises ProblemError: `unsupported-by-model` without a grounding head"""
        body = _body("image", image, {"phrases": phrases, "head": head})
        return cast(GroundResponse, await self._transport.json(post("/v1/ground", body), request))

    async def segment(
        self,
        image: Union[Media, FilePart, ImageUrlPart],
        *,
        head: Optional[str] = None,
        **request: Unpack[RequestOptions],
    ) -> SegmentResponse:
        """Which class each part of a picture is, in runs. :raises ProblemError: `unsupported-by-model` without such a head"""
        body = _body("image", image, {"head": head})
        return cast(SegmentResponse, await self._transport.json(post("/v1/segment", body), request))

    async def ask(
        self,
        input: Input,
        question: str,
        *,
        candidates: Optional[List[str]] = None,
        head: Optional[str] = None,
        **request: Unpack[RequestOptions],
    ) -> AskResponse:
        """Answers to a question about a picture or sound, best first. :raises ProblemError: `unsupported-by-model`"""
        body = _body("input", input, {"question": question, "candidates": candidates, "head": head})
        return cast(AskResponse, await self._transport.json(post("/v1/ask", body), request))

    async def search(
        self,
        collection: str,
        query: Union[Input, ItemQuery],
        *,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        modalities: Optional[List[Modality]] = None,
        filter: Optional[Filter] = None,
        score_threshold: Optional[float] = None,
        diversity: Optional[float] = None,
        group_by: Optional[str] = None,
        ground: Optional[Union[bool, str]] = None,
        include: Optional[Include] = None,
        **request: Unpack[RequestOptions],
    ) -> SearchResponse:
        """The items nearest to a content, or to a stored item (`{"item_id": …}`), best first."""
        options = {
            "limit": limit,
            "offset": offset,
            "modalities": modalities,
            "filter": filter,
            "score_threshold": score_threshold,
            "diversity": diversity,
            "group_by": group_by,
            "ground": ground or None,
            "include": include,
        }
        call = post(collection_path(collection, "search"), _search_body(query, options))
        return cast(SearchResponse, await self._transport.json(call, request))

    async def models(self, **request: Unpack[RequestOptions]) -> ModelList:
        """The loaded model and the limits in force."""
        return cast(ModelList, await self._transport.json(Call("GET", "/v1/models"), request))

    async def upload(
        self, file: Media, media_type: Optional[str] = None, **request: Unpack[RequestOptions]
    ) -> UploadPart:
        """
        Sends a picture or sound ahead, past the limit of a request's size; with storage in a bucket, past the service. The part
        that comes back stands for it in any content, for a day.

        :param media_type: such as `image/png`; told by the name of a path if absent
        """
        content, kind = file_of(file, media_type)
        about: JsonObject = {"bytes": len(content), "media_type": kind}
        upload = await self._transport.json(Call("POST", "/v1/uploads", json=about), request)
        await self._transport.send(Call("PUT", upload["url"], content=content, headers=upload["headers"]), request)
        return {"type": "upload", "upload": {"id": upload["id"]}}

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        trace: Optional[TracebackType] = None,
    ) -> None:
        await self.aclose()


def _body(name: str, content: Any, options: Dict[str, Any]) -> Body:
    return body_of([content], lambda contents: {name: contents[0]}, options)


def _search_body(query: Any, options: Dict[str, Any]) -> Body:
    if isinstance(query, dict) and "item_id" in query:
        return Body(json={**{k: v for k, v in options.items() if v is not None}, "query": query})
    return body_of([query], lambda contents: {"query": contents[0]}, options, fuses=True)

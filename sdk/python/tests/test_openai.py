"""OpenAI's own client gets embeddings by changing nothing but its base URL."""

import asyncio
from typing import Optional

import openai
import pytest

from onepeace_client import Client


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_embeddings_are_those_of_our_client(service: str, encoding: Optional[str]) -> None:
    client = openai.OpenAI(base_url=f"{service}/v1", api_key="none is asked for")
    ours = Client(service).embed(["a dog", "a cat"])
    model = client.models.list().data[0].id
    options = {} if encoding is None else {"encoding_format": encoding}
    answer = client.embeddings.create(model=model, input=["a dog", "a cat"], **options)  # type: ignore[arg-type]
    assert answer.model == ours["model"] == model
    assert answer.usage.prompt_tokens == ours["usage"]["prompt_tokens"] > 0
    for theirs, expected in zip(answer.data, ours["data"]):
        assert theirs.index == expected["index"]
        assert isinstance(theirs.embedding, str) == (encoding == "base64")
        if encoding != "base64":
            assert theirs.embedding == pytest.approx(expected["embedding"], abs=1e-7)


def test_one_string_and_the_asynchronous_client(service: str) -> None:
    width = Client(service).models()["data"][0]["dims"]

    async def main() -> int:
        async with openai.AsyncOpenAI(base_url=f"{service}/v1", api_key="none is asked for") as client:
            answer = await client.embeddings.create(model="onepeace-nano", input="a dog", dimensions=width)
            return len(answer.data[0].embedding)

    assert asyncio.run(main()) == width


def test_a_problem_arrives_as_an_error_of_theirs_with_our_code_and_words(service: str) -> None:
    client = openai.OpenAI(base_url=f"{service}/v1", api_key="none is asked for", max_retries=0)
    with pytest.raises(openai.NotFoundError) as raised:
        client.embeddings.create(model="text-embedding-3-small", input="a dog")
    assert raised.value.code == "not-found"
    assert "text-embedding-3-small" in str(raised.value)
    assert raised.value.request_id

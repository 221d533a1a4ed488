"""
What a caller has (words, paths, bytes, open files, parts of the contract) → what a request holds. A form carries files as they
are; where a form cannot say it (weights outside of search, parts by address) they travel in JSON, base64.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from sys import byteorder
from typing import IO, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union, cast

from typing_extensions import Literal, NotRequired, TypedDict

from .contract import Content, Part
from .json_object import JsonObject

Media = Union[Path, bytes, bytearray, IO[bytes]]
"""A picture or sound. The service tells which from the bytes; a name of theirs does not matter."""


class FilePart(TypedDict):
    """A file as one part of several."""

    type: Literal["file"]
    file: Media
    weight: NotRequired[float]
    """How much it counts, 1 by default."""


class MixedContent(TypedDict):
    """Several weighted parts that make one vector."""

    content: Sequence[Union[Part, FilePart]]


Input = Union[str, Media, Part, FilePart, MixedContent]
"""A text, a file (a `Path`, bytes or an open file), a part, or several weighted parts. A `str` is always a text."""

FormField = Tuple[str, Tuple[Optional[str], Union[str, bytes]]]


@dataclass(frozen=True)
class Body:
    """JSON or a form."""

    json: Optional[JsonObject] = None
    form: Optional[List[FormField]] = None


def body_of(
    inputs: Sequence[Input],
    json_of: Callable[[List[Content]], JsonObject],
    options: Mapping[str, Any],
    *,
    names: Callable[[int], Tuple[str, str]] = lambda index: ("file", "text"),
    fuses: bool = False,
) -> Body:
    """
    A form if there are files and a form can say it all, else JSON.

    :param json_of: the fields of the contents in JSON
    :param options: the body's other fields; those that are None are left out
    :param names: a form's fields for the file or the text of the content at an index
    :param fuses: whether a form makes its fields the weighted parts of one content, as a search does
    """
    given = {name: value for name, value in options.items() if value is not None}
    contents = [_parts(each) for each in inputs]
    has_files = any("bytes" in part for parts in contents for part in parts)
    if has_files and all(_fits_form(parts, fuses) for parts in contents):
        fields = [field for index, parts in enumerate(contents) for field in _fields(parts, *names(index))]
        return Body(form=fields + [field for name, value in given.items() for field in _option(name, value)])
    return Body(json={**given, **json_of([_wire_content(parts) for parts in contents])})


def file_of(media: Media, media_type: Optional[str]) -> Tuple[bytes, str]:
    """The bytes, and what they are: as told, or as the name of a path tells."""
    guessed = mimetypes.guess_type(media.name)[0] if isinstance(media, Path) else None
    if not (media_type or guessed):
        raise TypeError('Say what the file is: upload(file, media_type="image/png").')
    return _read(media), media_type or cast(str, guessed)


def content_of(content: Input) -> Content:
    """As JSON has it: files as base64."""
    return _wire_content(_parts(content))


def vector_of(text: str) -> List[float]:
    """Little-endian float32 in base64, as the service sends vectors when asked for it: a fourth of their length as digits."""
    values = array("f", base64.b64decode(text))
    if byteorder == "big":
        values.byteswap()
    return values.tolist()


# A part at hand: one of the contract, or {"bytes", "weight"?} for a file.
_Ready = Dict[str, Any]


def _parts(content: Input) -> List[_Ready]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, Mapping):
        return [{"bytes": _read(content)}]
    parts = cast(Mapping[str, Any], content).get("content", [content])
    return [_part(part) for part in parts]


def _part(part: Mapping[str, Any]) -> _Ready:
    if part["type"] != "file":
        return dict(part)
    weight = {"weight": part["weight"]} if "weight" in part else {}
    return {"bytes": _read(part["file"]), **weight}


def _read(media: Media) -> bytes:
    """Open files are read to their end, for a request may have to be sent again."""
    if isinstance(media, Path):
        return media.read_bytes()
    if isinstance(media, (bytes, bytearray)):
        return bytes(media)
    if hasattr(media, "read"):
        return media.read()
    raise TypeError(f"An input is a str (a text), Path, bytes, open file, part or mixture, not {type(media).__name__}.")


def _fits_form(parts: List[_Ready], fuses: bool) -> bool:
    is_plain = len(parts) == 1 and "weight" not in parts[0]
    return all("bytes" in part or part["type"] == "text" for part in parts) and (fuses or is_plain)


def _fields(parts: List[_Ready], file_name: str, text_name: str) -> List[FormField]:
    is_weighted = any("weight" in part for part in parts)
    fields: List[FormField] = []
    for part in parts:
        is_file = "bytes" in part
        fields.append((file_name, ("file", part["bytes"])) if is_file else (text_name, (None, part["text"])))
        if is_weighted:
            fields.append(("weight", (None, json.dumps(part.get("weight", 1)))))
    return fields


def _option(name: str, value: Any) -> List[FormField]:
    """In a form an array is a field a member, and what is no string is written as JSON."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [(name, (None, each if isinstance(each, str) else json.dumps(each))) for each in values]


def _wire_content(parts: List[_Ready]) -> Content:
    wire: List[Any] = [_wire_file(part) if "bytes" in part else part for part in parts]
    if len(wire) != 1:
        return {"content": wire}
    only: Any = wire[0]
    return only["text"] if only["type"] == "text" and "weight" not in only else only  # type: ignore[no-any-return]


# First bytes of PNG, JPEG, GIF, TIFF in two byte orders, WebP, AVIF. Anything else is sent as a sound.
_PICTURE = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|RIFF.{4}WEBP|.{4}ftyp(avif|avis|mif1)", re.DOTALL)


def _wire_file(part: _Ready) -> JsonObject:
    data = base64.b64encode(part["bytes"]).decode()
    weight = {"weight": part["weight"]} if "weight" in part else {}
    if _PICTURE.match(part["bytes"]):
        return {"type": "image_url", "image_url": {"url": f"data:image/*;base64,{data}"}, **weight}
    return {"type": "input_audio", "input_audio": {"data": data}, **weight}

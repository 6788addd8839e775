"""Request fields that are safe for every page: text without NUL, integers that a column can hold, and file names in
whatever encoding they come.

PostgreSQL refuses text with a NUL and numbers that are too large, so otherwise every field of every form would need a
check. People type neither.
"""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Request, request
from werkzeug import formparser
from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.routing import IntegerConverter, Map, UnicodeConverter
from werkzeug.sansio.multipart import MultipartDecoder

from portal.ids import MAX_INTEGER, id_in

REASON_LENGTH = 500


class PlainFields(ImmutableMultiDict[str, Any]):
    """The fields of a query string or a form."""

    def __init__(self, mapping: Any = None) -> None:
        pairs: Any = mapping
        if isinstance(mapping, Iterable) and not isinstance(mapping, dict):
            pairs = [(_plain(name), _plain(value)) for name, value in mapping]
        super().__init__(pairs)


class PlainRequest(Request):
    """A request whose fields are text without NUL; uploaded files stay as they are."""

    parameter_storage_class = PlainFields


class LenientDecoder(MultipartDecoder):
    """Reads the heads of an upload's parts that are not UTF-8 as Windows-1252, which has all of Latin-1's letters.

    Programs on old systems send a file's name in their own encoding and say so nowhere. Werkzeug drops the whole form
    then, and the person reads that it has expired.
    """

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        try:
            data.decode()
        except UnicodeDecodeError:
            try:
                data = data.decode("cp1252").encode()
            except UnicodeDecodeError:  # five bytes that cp1252 leaves open
                data = data.decode("latin-1").encode()
        return super()._parse_headers(data)


class IdConverter(IntegerConverter):
    """`<id:job_id>` in a URL: the id of a row. A number that cannot be an id is a 404."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=MAX_INTEGER)


class PlainConverter(UnicodeConverter):
    """`<token>` in a URL: any word without a NUL; one with it is a 404."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.regex = self.regex.replace("[^/]", r"[^/\0]")


def set_up(app: Flask) -> None:
    """Use this request class and these converters in the application, and the lenient decoder of uploads."""
    formparser.MultipartDecoder = LenientDecoder  # type: ignore[misc]  # Werkzeug has no other place to say so
    app.request_class = PlainRequest
    app.url_map.converters.update({"id": IdConverter, "default": PlainConverter, "string": PlainConverter})


def whole(text: str) -> int:
    """The integer in a field, for `request.args.get(…, type=whole)`. One that no column can hold becomes the largest
    that it can, which belongs to no row. Raises ValueError."""
    return min(max(int(text), -MAX_INTEGER), MAX_INTEGER)


def reason() -> str:
    """The reason that an admin gave in the form; empty if none."""
    return str(request.form.get("why", "")).strip()[:REASON_LENGTH]


def id_list(text: str) -> list[int]:
    """The ids in a comma-separated field, each once; anything that cannot be an id is skipped."""
    found = (id_in(part) for part in text.split(","))
    return list(dict.fromkeys(one for one in found if one is not None))


def _plain(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value

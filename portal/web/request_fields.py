"""What came with a request, as every page can use it: texts without NUL, and whole numbers that a column can hold.

PostgreSQL refuses a text with a NUL and a number that is too large, and each field of each form would have to think of
it. No person types either.
"""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Request, request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import IntegerConverter, Map

from portal.ids import MAX_INTEGER, id_in

REASON_LENGTH = 500


class Texts(ImmutableMultiDict[str, Any]):
    """The fields of an address or a form."""

    def __init__(self, mapping: Any = None) -> None:
        pairs: Any = mapping
        if isinstance(mapping, Iterable) and not isinstance(mapping, dict):
            pairs = [(_plain(name), _plain(value)) for name, value in mapping]
        super().__init__(pairs)


class Given(Request):
    """A request whose fields are plain texts; uploaded files stay as they are."""

    parameter_storage_class = Texts


class IdConverter(IntegerConverter):
    """`<id:job_id>` in an address: the id of a row. An address with a number that no id can be does not exist."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=MAX_INTEGER)


def set_up(app: Flask) -> None:
    """Let every request of the application be read so."""
    app.request_class = Given
    app.url_map.converters["id"] = IdConverter


def whole(text: str) -> int:
    """The whole number in a field, for `request.args.get(…, type=whole)`; one that no column can hold is the last one
    that it can, and belongs to nothing. Raises ValueError."""
    return min(max(int(text), -MAX_INTEGER), MAX_INTEGER)


def reason() -> str:
    """The reason that an admin gave in the form; empty without one."""
    return str(request.form.get("why", "")).strip()[:REASON_LENGTH]


def id_list(text: str) -> list[int]:
    """The ids in a field that has commas between them, each once; what cannot be one is left out."""
    found = (id_in(part) for part in text.split(","))
    return list(dict.fromkeys(one for one in found if one is not None))


def _plain(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value

"""Reads a request that is written as HTTP itself, as much documentation has it: a line with the method and the address,
headers, and the body."""

import re

from portal.sources.editor.pasted_request import NotRead, PastedRequest, finished

BEGIN = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE|HEAD)[ \t]+(?:https?://|/)\S*(?:[ \t]+HTTP/[\d.]+)?[ \t]*(?:\r?\n|$)")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")


def read(text: str) -> PastedRequest:
    """The request of a text that begins as one. The empty line before the body may be lost. Raises NotRead."""
    lines = text.replace("\r\n", "\n").split("\n")
    method, address = lines[0].split()[:2]
    found = PastedRequest(url=address, method=method)
    host, place = "", 1
    while place < len(lines) and (header := _HEADER.fullmatch(lines[place].strip())):
        if header[1].lower() == "host":
            host = header[2].strip()
        else:
            found.add_header(header[1], header[2])
        place += 1
    if address.startswith("/"):
        if not re.fullmatch(r"[\w.-]+(?::\d+)?", host):
            raise NotRead("no_host")
        found.url = f"https://{host}{address}"
    body = "\n".join(lines[place:]).strip()
    if body and not found.header("content-type"):
        kind = {"{": "application/json", "[": "application/json", "<": "text/xml"}.get(body[0])
        found.headers += [("Content-Type", kind)] if kind else []
    return finished(found, [body] if body else [])

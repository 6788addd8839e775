"""Reads a pasted text as a request: a curl command, a request written as HTTP, or an address alone."""

import re

from portal.sources.editor import curl, http_message
from portal.sources.editor.pasted_request import NotRead, PastedRequest, finished


def read(text: str) -> PastedRequest:
    """The request in a pasted text. Raises NotRead."""
    text = text.strip()
    if not text:
        raise NotRead("nothing")
    if re.match(r"(?:\$\w+\s*=\s*New-Object|Invoke-(?:WebRequest|RestMethod)|iwr\b|irm\b)", text, re.IGNORECASE):
        raise NotRead("powershell")
    if re.match(r"(?:await\s+)?fetch\s*\(", text):
        raise NotRead("fetch")
    if re.match(r"https?://\S+$", text):
        return finished(PastedRequest(url=text))
    if http_message.BEGIN.match(text):
        return http_message.read(text)
    return curl.read(text)

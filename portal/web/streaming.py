"""A file that is written while it is sent."""

from collections.abc import Generator, Iterator

from flask import Flask
from flask_babel import force_locale, get_locale


def in_readers_language(app: Flask, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Take the pieces as they are sent, after the request's own context has ended, in the language of this request.

    Each piece gets a context of its own. Flask's `stream_with_context` keeps one open between pieces, and a download
    that is broken off would end it wherever the server happens to clean up.
    """
    return _each(app, str(get_locale() or "en"), pieces)


def _each(app: Flask, language: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        while True:
            with app.app_context(), force_locale(language):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()

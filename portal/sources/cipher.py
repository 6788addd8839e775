"""Encrypts values under keys that are derived from SECRET_KEY and its fallbacks, each together with its name: nobody
who can write where they are kept can give one value another's name."""

import base64
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRETS = b"masterfilter: secrets of sources"  # keys derived for another purpose cannot read them
TAKEN = b"masterfilter: values that a source has given"


class Cipher:
    """Encrypts under the last of the keys and reads what was encrypted under any of them, as SIGNING_KEYS has them."""

    def __init__(self, keys: Sequence[str], purpose: bytes = SECRETS) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key, purpose)) for key in reversed(keys)])

    def encrypt(self, name: str, value: str) -> str:
        """Return the token of a value."""
        return self._fernet.encrypt(json.dumps([name, value]).encode()).decode()

    def decrypt(self, name: str, token: str) -> str | None:
        """Return the value; None when it was encrypted under another key, or for another name."""
        try:
            named, value = json.loads(self._fernet.decrypt(token.encode()))
        except InvalidToken:
            return None
        return str(value) if named == name else None


def _derived(key: str, purpose: bytes) -> bytes:
    return base64.urlsafe_b64encode(HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.encode()))

"""What the start says in the terminal, in both languages: nobody has chosen one yet.

The sentences come from the portal's one catalogue. It must not know Flask: there is no application yet either.
"""

import gettext
from typing import Any

from portal.config import ROOT


def _(sentence: str) -> str:
    """Mark a sentence for the catalogue; `both` looks it up."""
    return sentence


ALREADY_RUNNING = _("The portal already runs with the data directory %(folder)s. Stop it first.")
PORT_TAKEN = _("Port %(port)s of %(host)s is taken. Choose another one with PORTAL_PORT.")
NO_VALKEY = _("There is no Valkey for this machine. Install valkey-server or redis-server, or set REDIS_URL.")
FOREIGN_FOLDER = _("The folder %(folder)s belongs to somebody else. Remove it, or choose a shorter PORTAL_DATA_DIR.")
NO_MIGRATION = _("The database could not be brought up to date. What it said stands above.")
BAD_ROOM = _("NOTIFY_URLS: Apprise cannot use address number %(places)s: its service is unknown, or a part is missing.")
NOT_READY = _("Masterfilter is not ready yet. Still waiting for: %(missing)s")
READY = _("Masterfilter is ready: %(address)s")
SET_UP = _("Open this address once to create the first administrator: %(address)s")


def both(sentence: str, **facts: Any) -> str:
    """The sentence in Spanish and in English, a line each; once where the catalogue does not have it yet."""
    catalogue = gettext.translation("messages", ROOT / "portal" / "translations", ["es"], fallback=True)
    lines = dict.fromkeys([catalogue.gettext(sentence) % facts, sentence % facts])
    return "\n".join(lines)

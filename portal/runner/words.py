"""The messages that the start prints, in both languages because no language has been chosen yet.

The Spanish comes from the portal's catalogue. It must not know Flask: the application does not exist yet.
"""

import gettext
from typing import Any

from portal.config import ROOT


def _(sentence: str) -> str:
    """Mark a sentence for the catalogue; `in_both_languages` translates it."""
    return sentence


ALREADY_RUNNING = _("Masterfilter is already running with the data directory %(folder)s. Stop it first.")
PORT_TAKEN = _("Port %(port)s on %(host)s is in use. Choose another one with PORTAL_PORT.")
NO_VALKEY = _("Valkey is not available on this machine. Install valkey-server or redis-server, or set REDIS_URL.")
FOREIGN_FOLDER = _("The folder %(folder)s belongs to another user. Remove it, or choose a shorter PORTAL_DATA_DIR.")
NO_MIGRATION = _("The database could not be updated. The reason is above.")
BAD_CHAT_ADDRESS = _("NOTIFY_URLS: address number %(places)s does not work. Check the service's name and its parts.")
NOT_READY = _("Masterfilter is not ready yet. Still waiting for: %(missing)s")
READY = _("Masterfilter is ready: %(address)s")
WORKS = _("The machine %(machine)s is ready and takes work.")
SETUP_ADDRESS = _("Open this address once to create the first administrator: %(address)s")


def in_both_languages(sentence: str, **facts: Any) -> str:
    """Return the sentence in Spanish and in English, one line each; only once if it has no translation."""
    catalogue = gettext.translation("messages", ROOT / "portal" / "translations", ["es"], fallback=True)
    lines = dict.fromkeys([catalogue.gettext(sentence) % facts, sentence % facts])
    return "\n".join(lines)

"""The pages that people go to, by name, with the keys that lead there. For palette, keyboard and help."""

from dataclasses import dataclass

from flask import Flask, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from flask_login import current_user

from portal.accounts import User


@dataclass(frozen=True)
class Place:
    """One page. `keys` are pressed one after the other; empty for a page without any."""

    name: LazyString
    endpoint: str
    keys: str = ""
    admin: bool = False

    @property
    def address(self) -> str:
        """Its path."""
        return url_for(self.endpoint)


PLACES = (
    Place(_("Overview"), "admin.overview", "g r", admin=True),
    Place(_("All files"), "admin.jobs", "g t", admin=True),
    Place(_("Needs attention"), "admin.triage", "g i", admin=True),
    Place(_("Sources"), "admin.sources", "g s", admin=True),
    Place(_("Users"), "admin.users", "g u", admin=True),
    Place(_("Statistics"), "admin.metrics", "g m", admin=True),
    Place(_("Spending"), "admin.spending", admin=True),
    Place(_("Messages"), "admin.notices", "g n", admin=True),
    Place(_("Bulk operations"), "admin.operations", "g b", admin=True),
    Place(_("Excluded numbers"), "admin.exclusions", admin=True),
    Place(_("Erased numbers"), "admin.erasures", admin=True),
    Place(_("Activity"), "admin.audit", "g a", admin=True),
    Place(_("Health"), "admin.health", "g p", admin=True),
    Place(_("Files"), "documents.index", "g f"),
    Place(_("Trash"), "trash.show"),
    Place(_("Your statistics"), "metrics.own", "g e"),
    Place(_("Your account"), "auth.account", "g c"),
    Place(_("Help"), "help.index", "g h"),
)
# Keys that do something on the page that is open. The script has the same ones.
SHORTCUTS: dict[str, LazyString] = {
    "Ctrl K": _("Search pages and files"),
    "/": _("Go to the search box of this page"),
    "u": _("Upload a file"),
    "?": _("Show the keyboard shortcuts"),
}


def places_of(user: User) -> list[Place]:
    """Return the pages that this person may open, in the order in which they are offered."""
    return [place for place in PLACES if user.is_admin or not place.admin]


def set_up(app: Flask) -> None:
    """Give every template the keys, and the pages of the signed-in person."""
    app.jinja_env.globals.update(key_map=key_map, shortcuts=SHORTCUTS, own_places=lambda: places_of(current_user))


def key_map() -> dict[str, str]:
    """The keys of the signed-in person's pages, each with its address."""
    return {place.keys: place.address for place in places_of(current_user) if place.keys}

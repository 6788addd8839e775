"""The list of help pages: addresses, titles and groups. It must not know what is on them."""

from dataclasses import dataclass
from enum import StrEnum

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


class HelpGroup(StrEnum):
    """The parts of the list of help pages, in its order."""

    START = "start"
    DURING = "during"
    RESULT = "result"
    ACCOUNT = "account"
    ADMIN = "admin"


GROUPS: dict[HelpGroup, LazyString] = {
    HelpGroup.START: _("Before you look up"),
    HelpGroup.DURING: _("While a file is looked up"),
    HelpGroup.RESULT: _("The result"),
    HelpGroup.ACCOUNT: _("Your account and the portal"),
    HelpGroup.ADMIN: _("For administrators"),
}


@dataclass(frozen=True)
class HelpPage:
    """One page. `slug` is its address below /help/, the same in every language."""

    slug: str
    title: LazyString
    group: HelpGroup

    @property
    def for_admins(self) -> bool:
        """Whether it exists for administrators only."""
        return self.group == HelpGroup.ADMIN


PAGES: dict[str, HelpPage] = {
    page.slug: page
    for page in (
        HelpPage("first-file", _("Your first file"), HelpGroup.START),
        HelpPage("file-types", _("Files that you can upload"), HelpGroup.START),
        HelpPage("columns-and-country", _("Columns and country"), HelpGroup.START),
        HelpPage("invalid-numbers", _("Numbers that are not valid"), HelpGroup.START),
        HelpPage("excluded-numbers", _("Excluded numbers"), HelpGroup.START),
        HelpPage("excel", _("When Excel changes the numbers"), HelpGroup.START),
        HelpPage("sources", _("Where the data comes from"), HelpGroup.START),
        HelpPage("several-sources", _("Several sources for one file"), HelpGroup.START),
        HelpPage("cost", _("What it costs"), HelpGroup.START),
        HelpPage("later-and-again", _("Try it first, start later, repeat"), HelpGroup.START),
        HelpPage("earlier-list", _("A new list over an old one"), HelpGroup.START),
        HelpPage("one-number", _("Look up one number, or a short list"), HelpGroup.START),
        HelpPage("statuses", _("What each status means"), HelpGroup.DURING),
        HelpPage("waiting", _("Why a file waits"), HelpGroup.DURING),
        HelpPage("retries", _("Rows without an answer"), HelpGroup.DURING),
        HelpPage("stop", _("Pause, cancel or delete a file"), HelpGroup.DURING),
        HelpPage("outcomes", _("What each answer means"), HelpGroup.RESULT),
        HelpPage("download", _("Your file, with the data"), HelpGroup.RESULT),
        HelpPage("added-columns", _("Choose the columns that are added"), HelpGroup.RESULT),
        HelpPage("fix-rows", _("Fix rows after the lookup"), HelpGroup.RESULT),
        HelpPage("messages", _("The emails that you receive"), HelpGroup.ACCOUNT),
        HelpPage("webhooks", _("Notify your own software"), HelpGroup.ACCOUNT),
        HelpPage("account-security", _("Password and two-step sign-in"), HelpGroup.ACCOUNT),
        HelpPage("privacy", _("What is kept, and for how long"), HelpGroup.ACCOUNT),
        HelpPage("limits", _("Your limits"), HelpGroup.ACCOUNT),
        HelpPage("shortcuts", _("Keyboard shortcuts"), HelpGroup.ACCOUNT),
        HelpPage("contact", _("Who to ask"), HelpGroup.ACCOUNT),
        HelpPage("admin-mail", _("Set up email"), HelpGroup.ADMIN),
        HelpPage("admin-sources", _("Add a source"), HelpGroup.ADMIN),
        HelpPage("new-source", _("Make a source from a curl command"), HelpGroup.ADMIN),
        HelpPage("admin-files", _("Look after everyone’s files"), HelpGroup.ADMIN),
    )
}


def pages_for(*, admin: bool) -> dict[HelpGroup, list[HelpPage]]:
    """Return the pages that a person may open, by group; a group without any is left out."""
    seen = [page for page in PAGES.values() if admin or not page.for_admins]
    grouped = {group: [page for page in seen if page.group == group] for group in HelpGroup}
    return {group: pages for group, pages in grouped.items() if pages}

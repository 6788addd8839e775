"""What admins are told of a source."""

from flask_babel import gettext

from portal.notices.models import Notice
from portal.notices.reader import Reader
from portal.notices.said import Part, Said


def source_stopped(notice: Notice, reader: Reader, home: str) -> Said:
    """A source refuses the portal, and only an admin can put that right."""
    facts = notice.facts
    title = reader.name(reader.words(facts.get("title")) or facts["source"])
    return Said(
        subject=gettext("The source %(source)s has stopped", source=title),
        heading=title,
        tone="warn",
        state=gettext("The source has stopped"),
        lead=gettext("Files that are looked up there wait; none is lost."),
        parts=(
            Part(gettext("Why"), (reader.words(facts.get("cause")),)),
            Part(gettext("When"), (f"{reader.moment(notice.created_at)} ({reader.zone_words(notice.created_at)})",)),
            Part(
                gettext("What you can do"),
                (
                    gettext("Look at the source’s page, then put its access data, its credit or its recipe right."),
                    gettext("A new secret is seen after a restart. The files go on by themselves within ten minutes."),
                ),
            ),
        ),
        button=(gettext("Open the sources"), f"{home}/admin/sources"),
        why=gettext("You get this because you are an administrator of this portal."),
    )

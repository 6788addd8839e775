"""What admins are told of a source."""

from flask_babel import gettext

from portal.notices.email.content import Part, Said
from portal.notices.models import Notice
from portal.notices.recipient import Reader


def source_stopped(notice: Notice, reader: Reader, home: str) -> Said:
    """A source refuses the portal, and only an admin can put that right."""
    facts = notice.facts
    title = reader.name(reader.words(facts.get("title")) or facts["source"])
    return Said(
        subject=gettext("The source %(source)s has stopped", source=title),
        heading=title,
        tone="warn",
        state=gettext("The source has stopped"),
        lead=gettext("Files that are looked up there wait or are tried again later; none is lost."),
        parts=(
            Part(gettext("Why"), (reader.words(facts.get("cause")),)),
            Part(gettext("When"), (f"{reader.moment(notice.created_at)} ({reader.zone_words(notice.created_at)})",)),
            Part(
                gettext("What you can do"),
                (
                    gettext("Look at the source’s page, then put its access data, its credit or its recipe right."),
                    gettext(
                        "That is seen at once, without a restart. Files that wait go on by themselves within ten"
                        " minutes; those that have stopped go on when Retry is pressed."
                    ),
                ),
            ),
        ),
        button=(gettext("Open the sources"), f"{home}/admin/sources"),
        why=gettext("You get this because you are an administrator of this portal."),
    )

"""How a text file is read: its encoding and delimiter, chosen with a preview before the file is started."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.documents.models import Document, Reading
from portal.documents.reader.csv_text import TextChoice
from portal.documents.reader.text_encoding import CHOICES
from portal.documents.text_preview import DELIMITER_NAMES, choice_from, preview_text
from portal.jobs import queries, rereading, uploads
from portal.web.access import wants_fragment

blueprint = Blueprint("text_reading", __name__)


def text_reading_of(document: Document, fields: Mapping[str, str]) -> dict[str, Any] | None:
    """The variables of the form; None for what is no text file, or has been started. An unusable choice is left out."""
    read_as = document.sheets[0].get("text") if document.state == Reading.READY and document.sheets else None
    if not read_as or document.user_id != current_user.id or uploads.jobs_started(document.id):
        return None
    path = current_app.extensions["storage"].path(document.storage_key)
    try:
        seen = preview_text(path, read_as, choice_from(fields) or TextChoice())
    except FileNotFoundError:
        return None
    return {"seen": seen, "encodings": _encodings(seen.encoding), "delimiters": _delimiters(), "asked": bool(fields)}


@blueprint.get("/documents/<id:document_id>/text")
@login_required
def show(document_id: int) -> ResponseReturnValue:
    """The first rows as they would be read: a fragment for the script, else a page of its own."""
    document = _own_document(document_id)
    page = text_reading_of(document, request.args)
    if page is None and wants_fragment():  # it was started meanwhile, or is no text file
        return "", 204
    template = "documents/_text_rows.html" if wants_fragment() else "documents/text_reading.html"
    return render_template(template, document=document, text_reading=page)


@blueprint.post("/documents/<id:document_id>/text")
@login_required
def read_again(document_id: int) -> ResponseReturnValue:
    """Have the file read with this encoding and delimiter."""
    document = _own_document(document_id)
    choice = choice_from(request.form) or abort(400)
    is_text = bool(document.sheets and document.sheets[0].get("text"))
    if not is_text or not rereading.read_again(document.id, choice, current_app.extensions["storage"], utcnow()):
        flash(gettext("This file was started or is being read, so it is not read again."), "info")
    return redirect(url_for("documents.show", document_id=document.id), 303)


def _own_document(document_id: int) -> Document:
    document = queries.find_document(current_user, document_id)
    return document if document is not None and document.user_id == current_user.id else abort(404)


def _encodings(chosen: str) -> list[tuple[str, str]]:
    """The codecs with what people call them; the chosen one first when it is none of the usual ones."""
    western, central, greek = gettext("Western Europe"), gettext("Central Europe"), gettext("Greek")
    cyrillic, turkish, japanese = gettext("Cyrillic"), gettext("Turkish"), gettext("Japanese")
    korean, chinese = gettext("Korean"), gettext("Chinese")
    titles = {
        "utf-8": "UTF-8", "cp1252": f"Windows-1252 ({western})", "iso8859-15": f"ISO-8859-15 ({western})",
        "cp850": f"MS-DOS, CP850 ({western})", "mac_roman": f"Mac Roman ({western})", "utf-16": "UTF-16",
        "cp1250": f"Windows-1250 ({central})", "iso8859-2": f"ISO-8859-2 ({central})",
        "cp1253": f"Windows-1253 ({greek})", "iso8859-7": f"ISO-8859-7 ({greek})",
        "cp1251": f"Windows-1251 ({cyrillic})", "cp1254": f"Windows-1254 ({turkish})",
        "shift_jis": f"Shift-JIS ({japanese})", "euc_jp": f"EUC-JP ({japanese})", "euc_kr": f"EUC-KR ({korean})",
        "gb18030": f"GB 18030 ({chinese})", "big5": f"Big5 ({chinese})",
    }  # fmt: skip
    return [(name, titles[name]) for name in CHOICES] + ([] if chosen in CHOICES else [(chosen, chosen)])


def _delimiters() -> list[tuple[str, str]]:
    titles = {
        "semicolon": gettext("Semicolon (;)"), "tab": gettext("Tab"), "bar": gettext("Vertical bar (|)"),
        "comma": gettext("Comma (,)"), "none": gettext("None: one column"),
    }  # fmt: skip
    return [(name, titles[name]) for name in DELIMITER_NAMES]

"""Several files in one download: a zip that is written while it is sent, so that nothing is whole in memory."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from flask import Blueprint, Response, current_app, flash, make_response, redirect, url_for
from flask_babel import gettext, to_user_timezone
from flask_login import current_user, login_required

from portal.accounts import User
from portal.clock import utcnow
from portal.documents.storage import Storage
from portal.jobs import commands, queries
from portal.jobs.export import Download, download_name, kept_or_default, open_download
from portal.jobs.models import ScrapingJob
from portal.web.files.items import items_of_form, jobs_in
from portal.web.headers import attach
from portal.web.locale import in_readers_language

blueprint = Blueprint("files", __name__)
PACKED = ("xlsx", "xlsm", "ods")  # compressed already


@blueprint.post("/jobs/download")
@login_required
def download() -> Response:
    """The ticked results in one zip, each as its own download would be; one alone is that download."""
    job_ids = [job.id for job in jobs_in(items_of_form())]
    if not job_ids:
        flash(gettext("Select at least one file that has been started."), "info")
        return make_response(redirect(url_for("documents.index"), 303))
    if len(job_ids) == 1:
        return make_response(redirect(url_for("jobs.results", job_id=job_ids[0]), 303))
    reader = User(id=current_user.id, is_admin=current_user.is_admin, email=current_user.email)
    now = utcnow()
    pieces = zipped(job_ids, reader, current_app.extensions["storage"], now, to_user_timezone(now))
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    answer = Response(in_readers_language(app, pieces), content_type="application/zip")
    name = gettext("%(n)s files", n=len(job_ids))
    attach(answer, f"{name}.zip")
    answer.cache_control.no_cache = True
    return answer


class _Sink:
    """Takes what is written and gives it away in pieces. It cannot seek, so a zip's sizes follow its files."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def taken(self) -> bytes:
        data, self._waiting = b"".join(self._waiting), []
        return data


def zipped(job_ids: list[int], reader: User, storage: Storage, now: datetime, local: datetime) -> Iterator[bytes]:
    """Yield the zip. A file that is gone meanwhile, or that this person may not see, is not in it."""
    sink, names = _Sink(), set[str]()
    with ZipFile(sink, "w") as archive:  # type: ignore[call-overload]  # writing is all that it needs
        for job_id in job_ids:
            job = queries.find_job(reader, job_id)
            opened = _opened(job, reader, storage) if job else None
            if job is None or opened is None:
                continue
            try:
                name = download_name(job, opened.extension, is_replacement=opened.is_replacement)
                entry = ZipInfo(_unused(name, names), local.timetuple()[:6])
                entry.compress_type = ZIP_STORED if opened.extension in PACKED else ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                commands.note_download(job_id, reader.email, name, now)
                with archive.open(entry, "w", force_zip64=True) as file:
                    for piece in opened.pieces:
                        file.write(piece)
                        if data := sink.taken():
                            yield data
            finally:
                opened.close()
    yield sink.taken()


def _opened(job: ScrapingJob, reader: User, storage: Storage) -> Download | None:
    try:
        return open_download(job, storage, None, columns=kept_or_default(reader.id, job.all_sources))
    except (ValueError, FileNotFoundError):
        return None


def _unused(name: str, names: set[str]) -> str:
    """The name, with a number if another file of the zip has it."""
    path, n = PurePath(name), 2
    while name.casefold() in names:
        name, n = f"{path.stem} {n}{path.suffix}", n + 1
    names.add(name.casefold())
    return name

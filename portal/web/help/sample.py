"""The sample: the portal's own example file on the way that any file goes, for a newcomer to see.

It is stored, read, checked, started and looked up like an upload, always at the source that is free.
"""

from io import BytesIO

from flask import Blueprint, current_app, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.clock import utcnow
from portal.documents.upload import UploadRefused
from portal.jobs import uploads
from portal.jobs.quotas import uploads_spent
from portal.jobs.words.statuses import cannot_start_words
from portal.web.access import login_required
from portal.web.documents import MB, example_file, refusal_words
from portal.web.home import home

blueprint = Blueprint("sample", __name__)
FREE = "offline"


@blueprint.post("/documents/sample")
@login_required
def begin() -> ResponseReturnValue:
    """Upload the example for this person and redirect to its check page."""
    now = utcnow()
    if uploads_spent(current_user.id, now):
        return home(cannot_start_words("files_spent"))
    name, content = example_file()
    storage, limit = current_app.extensions["storage"], current_app.config["MAX_UPLOAD_MB"] * MB
    try:
        document = uploads.store_upload(BytesIO(content), name, current_user.id, storage, limit, now)
    except UploadRefused as error:
        return home(refusal_words(error.refusal))
    return redirect(url_for("documents.show", document_id=document.id, source=FREE, sample=1), 303)

"""Files that are made to break a reader: a sentence each, and the web process stays small and well."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.models import Document, Reading
from portal.documents.reader.limits import ReadLimits
from tests.documents import hostile

MIB = 1024 * 1024


def upload(client: FlaskClient, path: Path) -> TestResponse:
    """Post a file. Encoded here: the client would leave a temporary file open for each large one."""
    with path.open("rb") as file:
        boundary, body = encode_multipart({"file": FileStorage(file, path.name)})
    return client.post("/documents", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def memory(line: str) -> int:
    """What the kernel says of this process's memory, in bytes: VmRSS is now, VmHWM the most since it was reset."""
    (found,) = (text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith(line))
    return int(found.split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's peak afresh")
def test_every_hostile_file_gets_a_sentence_and_the_portal_goes_on(app: Flask, as_alice, tmp_path: Path) -> None:
    files = hostile.make_all(tmp_path)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here: other tests had theirs
    before = memory("VmRSS")
    for name, path in files.items():
        answer = upload(as_alice, path)
        if answer.status_code == 303:  # stored: the guarded reader has its turn, as on the intake queue
            document = db.session.scalars(db.select(Document).order_by(Document.id.desc())).first()
            document_id = document.id
            db.session.commit()
            intake.read_document(document_id, app.extensions["storage"], ReadLimits(), utcnow())
            answer = as_alice.get(f"/documents/{document_id}")
            state = db.session.get_one(Document, document_id).state
            if state == Reading.READY:  # some only look dangerous, and can be read for what they are
                continue
            assert state == Reading.REFUSED, name
            assert answer.status_code == 200, name
        else:
            assert answer.status_code == 422, name
        page = answer.get_data(as_text=True)
        assert 'role="alert"' in page, name
        assert not [word for word in ("Traceback", "Error:", "Exception", "calamine") if word in page], name
    assert as_alice.get("/").status_code == 200
    assert memory("VmHWM") - before < 200 * MIB  # on top of a web process's 120: far below 512

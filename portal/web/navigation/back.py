"""The way back from a file to the list that it was opened from, with that list's filters.

The browser's own cookie keeps the filters of the last look at each of the two lists, so that they need no place in the
address of a file.
"""

from typing import Any

from flask import Flask, Response, request, session, url_for
from flask_login import current_user

LISTS = {"documents.index", "admin.jobs"}
LONGEST = 500  # characters of a query that are kept
KEPT = "lists"


def set_up(app: Flask) -> None:
    """Keep the filters of a list that is shown, and give every template the way back."""
    app.after_request(_keep)
    app.jinja_env.globals.update(list_address=list_address, is_of_others=is_of_others)


def _keep(answer: Response) -> Response:
    if request.endpoint in LISTS and request.method == "GET" and answer.status_code == 200:
        query = request.query_string.decode("utf-8", "replace")
        kept: dict[str, str] = session.get(KEPT, {})
        if len(query) <= LONGEST and kept.get(request.endpoint, "") != query:
            session[KEPT] = {**kept, request.endpoint: query}
    return answer


def is_of_others(file: Any) -> bool:
    """Whether an administrator looks at somebody else's job or document."""
    return bool(file) and current_user.is_authenticated and file.user_id != current_user.id


def list_address(file: Any) -> str:
    """The list that has this job or document, as it was last seen: everybody's for a file of somebody else."""
    endpoint = "admin.jobs" if is_of_others(file) else "documents.index"
    query = session.get(KEPT, {}).get(endpoint, "")
    return f"{url_for(endpoint)}?{query}" if query else url_for(endpoint)

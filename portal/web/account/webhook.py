"""A person's own webhook: its address and key, its recent messages, a test and sending again."""

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.net.address_policy import AddressRefused
from portal.notices import words
from portal.notices.preferences import preferences_of, webhook_is_on
from portal.notices.webhook import settings
from portal.notices.webhook.payload import example
from portal.notices.webhook.settings import refusal_words
from portal.web.access import wants_fragment

blueprint = Blueprint("webhook", __name__)


@blueprint.get("/account/webhook")
@login_required
def show() -> str:
    """The address, the key, and the last deliveries."""
    return _page("auth/_deliveries.html" if wants_fragment() else "auth/webhook.html")


@blueprint.post("/account/webhook")
@login_required
def choose() -> Response:
    """Save the address; an empty one switches the webhook off."""
    address = request.form.get("address", "").strip()
    try:
        settings.choose_address(current_user.id, address, utcnow())
    except AddressRefused as error:
        return make_response(_page("auth/webhook.html", address, refusal_words(error.code)), 422)
    flash(gettext("Saved.") if address else gettext("The webhook is switched off."), "ok")
    return _back()


@blueprint.post("/account/webhook/key")
@login_required
def renew() -> Response:
    """Make a new key."""
    settings.renew_secret(current_user.id, utcnow())
    flash(gettext("There is a new key. Give it to your program: the old key no longer works."), "ok")
    return _back()


@blueprint.post("/account/webhook/tests")
@login_required
def send_test() -> Response:
    """Send a test message."""
    if settings.send_test(current_user.id, utcnow()):
        flash(gettext("A test will be sent within a minute. You will see the response here."), "ok")
    else:
        _flash_not_sent()
    return _back()


@blueprint.post("/account/webhook/deliveries/<id:delivery_id>/again")
@login_required
def again(delivery_id: int) -> Response:
    """Send one of the messages again."""
    sent = settings.send_again(current_user.id, delivery_id, utcnow())
    if sent is None:
        abort(404)
    if sent:
        flash(gettext("It will be sent again within a minute."), "ok")
    else:
        _flash_not_sent()
    return _back()


def _flash_not_sent() -> None:
    if webhook_is_on(current_user.id):
        flash(gettext("Nothing was sent: other messages are still being sent."), "info")
    else:
        flash(gettext("Nothing was sent: the webhook is switched off."), "info")


def _page(template: str, address: str | None = None, problem: str = "") -> str:
    preferences = preferences_of(current_user.id)
    return render_template(
        template,
        preferences=preferences,
        address=(preferences.webhook_url or "") if address is None else address,
        problem=problem,
        deliveries=settings.deliveries(current_user.id),
        ended=settings.ENDED,
        words=words,
        example=example(current_app.config["PUBLIC_URL"], utcnow()),
    )


def _back() -> Response:
    return make_response(redirect(url_for("webhook.show"), 303))

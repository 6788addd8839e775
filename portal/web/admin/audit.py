"""The page of administrators' activity, from the audit log."""

from flask import render_template, request
from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from portal import audit
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.request_fields import whole

# A new verb of `audit.note` needs its words here (its object follows), and a new kind its link in the template. Rows
# in use carry these codes, so they keep their spelling: user_shut_out is a deactivated account, user_let_in a
# reactivated one.
VERBS: dict[str, LazyString] = {
    "retry": _("retried the file"),
    "correct": _("corrected cells of the file"),
    "cancel": _("cancelled the file"),
    "pause": _("paused the file"),
    "resume": _("resumed the file"),
    "delete": _("deleted the file"),
    "time_out": _("marked the attempt as timed out"),
    "limits": _("changed the limits of the file"),
    "put_first": _("put the file first"),
    "skip_source": _("let the file go on with its next source"),
    "repeat": _("set when the file is looked up again"),
    "repeat_stopped": _("stopped repeating the file"),
    "operation_begun": _("started a bulk operation"),
    "operation_stopped": _("stopped the bulk operation"),
    "source_paused": _("paused the source"),
    "secret_set": _("saved the secret"),
    "secret_deleted": _("deleted the secret"),
    "source_used": _("took the provider from the shelf"),
    "source_offered": _("offered a version of the source"),
    "user_invite": _("invited"),
    "user_password_reset": _("sent a password reset link to"),
    "user_shut_out": _("deactivated the account of"),
    "user_let_in": _("reactivated the account of"),
    "user_made_admin": _("gave the administrator role to"),
    "user_no_admin": _("removed the administrator role from"),
    "user_limits": _("changed the limits of"),
    "source_resumed": _("resumed the source"),
    "number_erased": _("ordered that a number is erased everywhere, record"),
    "number_is_erased": _("had a number erased everywhere, record"),
    "list_added": _("added the list of excluded numbers"),
    "list_removed": _("removed the list of excluded numbers"),
    "number_tried": _("tried a number at the source"),
    "phone_searched": _("searched for a telephone number"),
    "notice_resent": _("sent again the notice"),
    "notice_read": _("read the email of the notice"),
    "results_downloaded": _("downloaded the results of the file"),
    "user_created": _("created the account of"),
    "two_step_reset": _("switched two-step sign-in off for"),
    "signed_in": _("signed in"),
    "password_changed": _("changed their own password"),
    "password_chosen": _("chose a password with the link in an email"),
    "two_step_on": _("switched their two-step sign-in on"),
    "two_step_off": _("switched their two-step sign-in off"),
    "recovery_codes": _("made new recovery codes"),
    "cap_set": _("set a spending limit"),
    "cost_cap": _("changed the spending limit of the file"),
    "contact_set": _("changed who to ask"),
    "recovery_code_used": _("used a recovery code to sign in"),
}


def verb_words(verb: str) -> str:
    """Return the action in words, to follow the administrator's name."""
    return str(VERBS.get(verb) or _("made a change"))


@blueprint.get("/admin/audit", endpoint="audit")
@admin_required
def index() -> str:
    """Show the entries, newest first; `admin` limits them to one administrator's."""
    admin = request.args.get("admin", "").strip()[:255]
    page = audit.entries(request.args.get("before", type=whole), admin)
    return render_template("admin/audit.html", page=page, admin=admin, verb_words=verb_words)

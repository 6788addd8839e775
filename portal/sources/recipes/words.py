"""The sentence for each mistake in a recipe, and for each difference that its tests find. Does not read recipes."""

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from portal.sources.recipes.model import Difference
from portal.sources.recipes.toml_table import Mistake
from portal.sources.words import sample_words

SENTENCES: dict[str, LazyString] = {
    "not_toml": _("This is not valid TOML: %(why)s"),
    "not_readable": _("The file cannot be read."),
    "missing": _("Add this: it is required."),
    "unknown_key": _("Unknown key. You can use: %(known)s."),
    "not_text": _("Write a text in quotes."),
    "not_texts": _("Write a table of texts."),
    "not_yes_no": _("Write true or false."),
    "not_table": _("Write a table."),
    "not_tables": _("Write a list of tables."),
    "not_one_of": _("Use one of these: %(known)s."),
    "not_between": _("Use a number from %(low)s to %(high)s."),
    "bad_name": _("Use only small letters, digits and hyphens (underscores in a field’s name), 40 characters at"
        " most."),
    "name_taken": _("Another source already has this name. Choose a different one."),
    "bad_address": _("The address must start with http:// or https:// and a host name. The host name cannot contain"
        " placeholders."),
    "user_in_address": _("Leave user and password out of the address. Send the header Authorization with Basic and a"
        " secret, which is user:password in base64."),
    "address_no_host": _("This is not an address."),
    "address_scheme_refused": _("The address must start with http:// or https://."),
    "address_userinfo_refused": _("Leave user and password out of the address."),
    "address_port_refused": _("The server’s settings do not open the port %(what)s to sources."),
    "address_private_address": _("This address is inside your own network, where the portal does not ask."),
    "heavy_expression": _("This could take very long on a large answer. Use fewer steps, such as one id or one class."),
    "bad_placeholder": _("The placeholder “%(name)s” does not exist here. You can use: %(known)s. Double the"
        " braces where they are part of the text, as in GraphQL."),
    "one_of_many": _("The placeholder “%(name)s” is one number, and this batch has many. Use numbers_json or"
        " size = 1."),
    "not_filled_here": _("The placeholder “%(name)s” is filled in only in a request’s address, headers and"
        " body."),
    "needs_numbers": _("This is for the placeholder numbers, which this request does not have."),
    "bad_items": _("This is not a valid JMESPath expression."),
    "no_number": _("This request needs one of these placeholders: %(known)s."),
    "key_needs_poll": _("The placeholder batch_key is for sources that answer later. Add [batch.poll] or remove it."),
    "secret_is_setting": _("%(name)s is a setting of the portal. Choose a different name for the secret."),
    "bad_pipe": _("The pipe “%(name)s” does not exist. You can use: %(known)s."),
    "pipe_argument": _("The pipe “%(name)s” needs a value after a colon, as in prefix:00."),
    "pipe_no_argument": _("The pipe “%(name)s” takes no value after a colon."),
    "pipe_of_time": _("The pipe “%(name)s” is only for now, before any other pipe."),
    "pipe_value": _("The pipe “%(name)s” cannot use this value."),
    "pipe_on_many": _("“%(name)s” has no pipes. Put them into each."),
    "not_for_method": _("The method %(method)s does not use this."),
    "no_signature": _("Say where the signature goes: name a header in into whose text has the placeholder"
        " signature."),
    "bad_scope": _("Write the region and the service, such as eu-west-1/execute-api."),
    "bad_aws_key": _("Write the key’s name and its secret with a colon between them: two secrets, or one that has"
        " both."),
    "bad_claims": _("Write the claims as a JSON object."),
    "bad_certificate": _("Write the name of a file in the folder secrets, without .pem: letters, digits, - and _."),
    "certificate_redirects": _("A request with a certificate follows no redirects: leave redirects out."),
    "bad_keep": _("Write a time such as 25 min or 12 h, or a table whose path says where the answer has its"
        " seconds."),
    "keep_first": _("Put the requests with keep before those without."),
    "keep_about_number": _("A request with keep is the same for all numbers: it cannot have the placeholder"
        " “%(name)s”."),
    "poll_needs_keep": _("A source that answers later needs keep here, as its answers are fetched with the same"
        " values."),
    "bad_taken_name": _("“%(name)s” cannot be the name of a value: use small letters, digits and _, and no name that"
        " is a placeholder already."),
    "key_needs_each": _("@each needs each, which says how a number is written."),
    "file_or_body": _("A file takes the place of the body: leave one of them out."),
    "answer_or_file": _("The answer is here, or in a file: leave one of them out."),
    "each_of_file": _("The file has an each of its own. Leave this out."),
    "bad_line": _("This cannot have line breaks."),
    "bad_item_key": _("This is not a valid JMESPath expression."),
    "most_for_path": _("The price is a figure: no lookup can cost more. Leave this out."),
    "per_for_figure": _("The answer itself says what it cost: leave this out."),
    "bad_currency": _("Write a currency such as EUR or USD, or credits."),
    "bad_amount": _("Write an amount such as 0.0045, without quotes, with nine decimals at most."),
    "needs_balance": _("Say where the answer has the credit that is left: balance = \"…\"."),
    "not_list": _("Write a list of texts, such as [\"ES\"]."),
    "bad_country": _("“%(name)s” is not a country. Write two capital letters, such as ES."),
    "bad_line_type": _("“%(name)s” is not a kind of line. You can use: %(known)s."),
    "empty_only": _("Write countries or lines, or both."),
    "bad_size": _("Write a size such as 500 kB or 1 MB, 20 MB at most."),
    "bad_rate": _("Write a rate such as 10/s, 600/min or 5000/h."),
    "bad_days": _("Write a time such as 30 days."),
    "bad_status": _("Write a list of status codes from 100 to 599."),
    "bad_charset": _("Write the name of a charset such as utf-8, iso-8859-1 or windows-1252."),
    "bad_path": _("This is not a valid JMESPath expression."),
    "bad_css": _("This is not a valid CSS selector."),
    "bad_xpath": _("This is not a valid XPath expression. Its functions re:test, re:match and re:replace cannot be"
        " used."),
    "bad_regex": _("This is not a valid regular expression, or it uses look-ahead, look-behind or back-references,"
        " which cannot be used here."),
    "bad_date_format": _("Write the form of a whole date, with the marks of strptime for day, month and year."),
    "only_for_type": _("Only a field of type %(type)s can use this."),
    "no_rule": _("A rule needs at least one of status, json, css and text."),
    "html_only": _("Only sources of kind html can use this."),
    "json_only": _("Only sources of kind json or batch can use this."),
    "not_in_format": _("This does not go with an answer in the format %(format)s."),
    "not_for_batch": _("Only json and csv have many answers in one. Use kind json for one number at a time."),
    "bad_delimiter": _("Write one character, such as ; or a tab."),
    "needs_regex": _("A field of a plain text needs regex."),
    "one_selector": _("A field needs exactly one of path, css and xpath."),
    "no_fields": _("Add at least one field."),
    "sample_missing": _("The file %(file)s is not next to the recipe."),
    "unknown_field": _("This recipe has no field %(name)s."),
    "body_with_get": _("A request with a body needs method = \"POST\"."),
    "bad_header": _("Use only letters, digits, - and _ in a header’s name, and no line breaks in its value."),
    "bad_number": _("Write the number with its country code, such as +34612345678."),
}  # fmt: skip


def mistake_sentence(mistake: Mistake) -> str:
    """One mistake as a sentence, for who fills in a form and sees no lines."""
    sentence = SENTENCES.get(mistake.code)
    facts = {name: str(value) for name, value in mistake.facts.items()}
    return (str(sentence) % facts if "%(" in str(sentence) else str(sentence)) if sentence else mistake.code


def mistake_words(mistake: Mistake) -> str:
    """One mistake as a sentence with its file, line and key."""
    what = mistake_sentence(mistake)
    place = gettext("%(file)s, line %(line)s", file=mistake.file, line=mistake.line)
    return f"{place}, {mistake.key}: {what}" if mistake.key else f"{place}: {what}"


DIFFERENCES: dict[str, LazyString] = {
    "field_missing": _("the required field %(field)s is not in the answer"),
    "field_differs": _("the field %(field)s is “%(found)s” instead of “%(expected)s”"),
    "outcome_differs": _("the outcome is %(found)s instead of %(expected)s"),
    "no_item": _("the answer has no item for %(expected)s"),
    "not_readable": _("the answer does not have the format of this kind of source"),
}


def difference_words(difference: Difference) -> str:
    """One difference that a test found, as a part of a sentence."""
    if difference.code == "not_readable" and difference.found:
        return f"{DIFFERENCES[difference.code]}: {sample_words(difference.found)}"
    facts = {"field": difference.field, "expected": difference.expected, "found": difference.found}
    return str(DIFFERENCES[difference.code]) % facts

"""Every reason has one sentence and one example, and the documentation has the same."""

import pytest

from portal.config import ROOT
from portal.phone import REASONS, Reason, parse

PAGE = ROOT / "docs" / "numbers.md"


def table() -> str:
    """The table of the page. To renew it: `python -m tests.phone.test_reasons`."""
    lines = ["| code | in the cell | file of | sentence | offered |", "|---|---|---|---|---|"]
    for reason, text in REASONS.items():
        example = text.example if len(text.example) < 60 else text.example[:30] + "…"
        shown = f"`{example}`" if example else ""
        offered = ", ".join(parse(text.example, text.country).offered)
        lines.append(f"| `{reason}` | {shown} | {text.country} | {text.sentence} | {offered} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("reason", Reason)
def test_the_example_has_the_reason(reason: Reason) -> None:
    text = REASONS[reason]
    phone = parse(text.example, text.country)
    assert (phone.e164, phone.reason) == (None, reason)


def test_the_page_has_every_reason() -> None:
    assert PAGE.read_text().split("<!-- reasons -->\n")[1].strip() == table().strip()


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().split("<!-- reasons -->\n")[0] + "<!-- reasons -->\n\n" + table())

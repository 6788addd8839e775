"""The statistics at the end of `check-scraping-jobs`: how many jobs stand where. Deleted jobs are not counted."""

import click
from flask_babel import pgettext

from portal.jobs.core.status import Status
from portal.jobs.status_counts import standing

# Two of the signs are drawn a column narrower than terminals reckon, and so are followed by two spaces, as in the seed.
SIGNS = {
    Status.PENDING: "📊 ", Status.PROCESSING: "⚙️  ", Status.COMPLETED: "✅ ", Status.FAILED: "❌ ",
    Status.TIMEOUT: "⏱️  ", Status.RETRYING: "🔄 ", Status.CANCELLED: "🚫 ",
}  # fmt: skip
LINE = "━" * 20


def say_statistics() -> None:
    """Print a line for each status, and the sum."""
    names = {
        Status.PENDING: pgettext("how many jobs", "Pending:"),
        Status.PROCESSING: pgettext("how many jobs", "Processing:"),
        Status.COMPLETED: pgettext("how many jobs", "Completed:"),
        Status.FAILED: pgettext("how many jobs", "Failed:"),
        Status.TIMEOUT: pgettext("how many jobs", "Timeout:"),
        Status.RETRYING: pgettext("how many jobs", "Retrying:"),
        Status.CANCELLED: pgettext("how many jobs", "Cancelled:"),
    }
    total = pgettext("how many jobs", "Total:")
    counted = standing()
    width = max(map(len, (*names.values(), total))) + 1
    for status, name in names.items():
        click.echo(f"  {SIGNS[status]}{name:<{width}}{counted[status]}")
    click.echo(f"  {LINE}")
    click.echo(f"  📈 {total:<{width}}{sum(counted.values())}")

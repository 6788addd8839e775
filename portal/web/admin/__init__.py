"""The administrators' pages, all on one blueprint. For other users these pages do not exist (404)."""

from portal.web.admin import (
    audit,
    bulk,
    erasures,
    exclusions,
    first_steps,
    health,
    jobs,
    metrics,
    notices,
    operations,
    overview,
    shelf,
    sources,
    spending,
    triage,
    users,
)
from portal.web.admin.blueprint import blueprint

__all__ = [
    "audit", "blueprint", "bulk", "erasures", "exclusions", "first_steps", "health", "jobs", "metrics", "notices",
    "operations", "overview", "shelf", "sources", "spending", "triage", "users",
]  # fmt: skip

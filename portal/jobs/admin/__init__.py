"""What administrators do with many jobs: the list, its filters, triage, bulk operations and the search by number."""

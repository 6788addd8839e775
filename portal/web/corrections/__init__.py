"""Correcting cells: on the check page before the start, on the job's page after its end, and in a download that comes
back. What the forms have in common is in `typed_cells`."""

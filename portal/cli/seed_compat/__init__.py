"""The commands and shell names of the old Django system, built on ours. Their output keeps the old system's words."""

"""The commands and shell names of the old Django system, on top of ours."""

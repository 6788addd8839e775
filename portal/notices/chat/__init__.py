"""The administrators' chat rooms, through Apprise."""

"""The sweep: one bounded pass that repairs whatever is late, lost or due. `steps` lists its steps and runs them.

Every step is correct when two sweeps run at once, and commits on its own.
"""

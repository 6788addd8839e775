"""Money: what lookups cost, reserved before a number is asked about and settled with its answer, the caps that are
never exceeded, and what was spent by month, person and source. It knows no recipe and asks no source.
"""

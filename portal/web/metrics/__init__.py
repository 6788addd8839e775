"""The pages of figures over time: `own` has the addresses of one person's, `page` gathers what a page shows, `tables`
are its tables, and `charts` the geometry of its drawings.
"""

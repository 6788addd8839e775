"""Two editions of one list, compared row by row: which rows are new, which have another telephone, which are gone.

`row_keys` says when two keys are the same to a person, `key_columns` which column tells the rows apart, and `two_lists`
compares. All is pure: it knows neither the database nor jobs, and reads rows one after the other.
"""

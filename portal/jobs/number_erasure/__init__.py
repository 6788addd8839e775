"""Erases one telephone number from everything that the portal keeps, at the request of the person whose it is.

`orders` is for the pages: what would be erased, the order, the record. `runner` works on an order in the background;
`job_rows` knows the ledgers, `documents` and `packages` the stored files, `other_rows` all other tables, and
`local_files` what lies in the data folder. What is kept of an order says when it was done, by whom and in how many
places, and not which number it was.
"""

"""A new list over an old one: which of a person's earlier files a new file is compared with, and which answers it takes
over.

`drafts` is for the pages: a comparison is asked for, shown and dropped. `candidates` proposes earlier files; `runner`
compares in the background, reading `earlier_rows`; `carried` has the answers that a number of the new list had in the
earlier one. An answer belongs to a number: it is taken over only for the same number, whatever row that is in.
"""

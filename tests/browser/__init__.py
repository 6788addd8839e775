"""What a person sees, in a real browser. `tabs` opens pages that complain; `walking` knows the portal's pages, and
`lists` writes the files that are uploaded. It must not know how a page is made.

A package, so that its one browser ends before the other rooms' tests begin.
"""

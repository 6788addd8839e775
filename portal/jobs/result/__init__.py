"""The result of a job as its page shows it: any page of its rows, in any order, under any choice and search, as fast
with a million rows as with a few. It only reads; what it makes is derived, and can be made again at any time.
"""

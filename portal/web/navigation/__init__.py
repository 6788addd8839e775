"""How people get from page to page: the pages by name with their keys, and the palette that searches both pages
and files.

It must not know what a page shows.
"""

"""The help pages, in each language of the portal. `pages` lists them and `views` sends them; their texts are templates
in `help/<language>`, one for each page.

A text must not repeat what the portal decides: names of buttons and statuses, limits and addresses are put in when the
page is sent.
"""

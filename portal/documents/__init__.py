"""What comes in: a file, stored under our own name, read in a guarded child process and checked number by number.

It knows neither sources, nor notices, nor jobs: a document is a file that was read. `phone`, `reading` and
`checking` are pure and import nothing of Flask.
"""

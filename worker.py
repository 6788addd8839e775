"""Starts a worker process: `python worker.py intake|scrape|sweep|scheduler`."""

import sys

from portal.jobs.worker.rq_worker import main

if __name__ == "__main__":
    main(sys.argv)

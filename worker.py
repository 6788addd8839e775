"""Starts a worker process: `python worker.py intake|scrape|sweep|scheduler`."""

import gc
import sys

gc.disable()  # for the imports, as in `portal.create_app`
from portal.jobs.worker.rq_worker import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    main(sys.argv)

import traceback
from tests.cli.test_auto_retry_jobs import *
def test_x(runner, make_job, alice):
    final = make_job(alice)
    final.retry_count = final.max_retries
    final.mark_as_failed("source_error")
    a = runner.invoke(args=["auto-retry-jobs"])
    print("".join(traceback.format_exception(*a.exc_info))); assert 0

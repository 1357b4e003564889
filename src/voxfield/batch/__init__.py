"""A task on very many recordings, on one machine or a cluster: what is there is not done again, and nothing is lost.

manifest -> scan (what is missing) -> engine (local processes, or Ray) -> recorder -> files or parts, ledger, report
"""

from voxfield.batch.job import Job, Settings, load_job
from voxfield.batch.run import rehearse, run_job
from voxfield.batch.verbs import VERBS

__all__ = ["VERBS", "Job", "Settings", "load_job", "rehearse", "run_job"]

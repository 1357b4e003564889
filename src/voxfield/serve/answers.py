"""Errors as answers, and what the log is told of them: the error, never the recording."""

import logging

from voxfield.serve.metrics import Metrics
from voxfield.serve.refusal import RefusedError, refusal_of

_log = logging.getLogger("voxfield.serve")


def said(error: Exception, metrics: Metrics) -> RefusedError:
    """The refusal of an error; the log has those that were not foreseen."""
    refusal = refusal_of(error)
    metrics.refused(refusal.code)
    if refusal.code == "internal":
        _log.error("a request failed", exc_info=error)
    return refusal

"""A report shown: as a text table, as JSON, as drawings and as one page of HTML. Nothing is computed here."""

from .html import page
from .svg import cone, costs
from .table import comparison_text, report_text

__all__ = ["comparison_text", "cone", "costs", "page", "report_text"]

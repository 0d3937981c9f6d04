"""report.html: a sweep or a single run as one page that opens offline."""

from layerscope.report.page import write_report

__all__ = ["write_report"]

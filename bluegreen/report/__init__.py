"""What people keep of a release: release.json for programs, report.html and summary.md for people.

Comes in: the record of a release (``docs/release.schema.json`` describes it). Goes out: files and pieces of HTML that
need nothing from outside. It decides nothing and asks no cluster. What it shows is escaped; secrets never get here.
"""

from bluegreen.report.evidence import evidence_html
from bluegreen.report.files import write_json, write_markdown
from bluegreen.report.html import summary_html
from bluegreen.report.markdown import markdown

__all__ = ["evidence_html", "markdown", "summary_html", "write_json", "write_markdown"]

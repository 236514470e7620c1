"""The report of an audit, made anew from its ``audit.json``: of a folder of strangers no page is served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.page.fragments import fragment
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.jobs.audit import FORMAT
from fuzzsmooth.jobs.audited import REPORT
from fuzzsmooth.jobs.audited import read_audit as read_report

_MEND = "give a folder that 'fuzzsmooth audit' has written"


def read_audit(folder: Path) -> dict[str, Any]:
    """The report of an audit.

    Args:
        folder: What ``fuzzsmooth audit --out`` was given.

    Raises:
        FuzzsmoothError: If there is none, or it is damaged.
    """
    report = read_report(folder)
    require(
        report.get("format") == FORMAT, f"{folder / REPORT} is no report of an audit of this version; {_MEND}"
    )
    framed(report, "")  # what cannot be shown is told before a model is loaded
    return report


def framed(report: Mapping[str, Any], fingerprint: str) -> str:
    """The page of an audit in a frame of its own, which can neither run nor fetch anything.

    Args:
        report: As :func:`read_audit` gives it.
        fingerprint: Of the model that answers; where the audit was made of another, that is said.

    Raises:
        FuzzsmoothError: If the report lacks what its page needs.
    """
    from fuzzsmooth.report.audit import render

    try:
        page, model = render(report), report["model"]
        same, name = str(model["fingerprint"]) == fingerprint, str(model["name"])
    except FuzzsmoothError:
        raise
    except Exception as error:
        # The report is a stranger's: whatever it holds or lacks, its template fails in a way of its own.
        raise FuzzsmoothError(f"{REPORT} is damaged: {type(error).__name__}; {_MEND}") from error
    return fragment("page_audit.html.j2", name=short_name(name), same=same, page=page)

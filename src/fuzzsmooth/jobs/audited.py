"""From an audit to a defense: what it found is tested first, what pulled most is tabled.

Nothing of an audit is believed. A suspected trigger is put through the transplant test of the model that is
protected, on its own references, and words for a table of flip rates are tested likewise. So a forged audit
can have nothing flagged that would not be flagged anyway, and can clear nothing: what it leaves out is
searched as without it. At worst, it costs a text some evaluations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.reading import TABLE_BYTES, read_json_object
from fuzzsmooth.engine.options import SearchedOptions
from fuzzsmooth.search.references import MOST_SUSPECTS, References
from fuzzsmooth.text.units import Segmenter, segmenter

REPORT = "audit.json"
"""Name of the report in an audit's folder."""
_MEND = "give the folder that 'fuzzsmooth audit --out' wrote"


def read_audit(folder: Path) -> dict[str, Any]:
    """The report of an audit's folder.

    Raises:
        FuzzsmoothError: If there is none, or it is damaged.
    """
    file = folder / REPORT
    require(file.is_file(), f"there is no {REPORT} in {folder}; {_MEND}")
    report = read_json_object(file, limit=TABLE_BYTES, mend=_MEND)
    require(
        str(report.get("format", "")).startswith("fuzzsmooth audit")
        and all(_rows(report.get(name)) for name in ("triggers", "pulls")),
        f"{file} is not a report of an audit; {_MEND}",
    )
    return report


def suspects(report: Mapping[str, Any], units: Segmenter) -> tuple[tuple[str, ...], ...]:
    """The triggers that an audit called suspicious or worse, as units; rewrites are none.

    Args:
        report: As :func:`read_audit` gives it.
        units: What a unit is.
    """
    found = [
        units.segment(_text(one, "text")).units
        for one in report["triggers"]
        if one.get("level") != "natural" and one.get("kind") != "rewrite"
    ]
    return tuple(dict.fromkeys(one for one in found if one))[:MOST_SUSPECTS]


def is_searched(options: Options) -> bool:
    """Whether a defense of these options searches texts, so that it can test what an audit found."""
    return isinstance(options, SearchedOptions) and options.fuzzing


def with_suspects(
    references: References | None, report: Mapping[str, Any], options: Options, classifier: object
) -> References:
    """References with what an audit found, for a search that tests it first.

    Raises:
        FuzzsmoothError: If nothing is searched, so that an audit makes no difference.
    """
    require(
        is_searched(options) and references is not None,
        "an audit's findings are tested on reference texts by a defense that searches, such as 'frs'; choose "
        "one, or leave out --audit",
    )
    assert isinstance(options, SearchedOptions)
    assert references is not None
    units = segmenter(options.unit, getattr(classifier, "tokenizer", None))
    return replace(references, suspects=suspects(report, units))


def pulling_words(report: Mapping[str, Any]) -> list[str]:
    """The words that pulled most, those of triggers first: for a table of flip rates."""
    triggers = [word for one in report["triggers"] for word in _text(one, "text").split()]
    pulls = sorted(report["pulls"], key=lambda one: -_gain(one))
    return list(dict.fromkeys(word for word in (*triggers, *(_text(one, "piece") for one in pulls)) if word))


def _rows(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise FuzzsmoothError(f"the report of an audit lacks '{name}' in one of its rows; {_MEND}")
    return value


def _gain(row: Mapping[str, Any]) -> float:
    value = row.get("gain")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0

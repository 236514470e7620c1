"""What ``fuzzsmooth table`` does: test unit types, and show what was found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.cli.console import answers, note, write_json
from fuzzsmooth.apps.cli.flags import Given
from fuzzsmooth.apps.cli.inputs import gather
from fuzzsmooth.apps.cli.problems import resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.sections import Reading, ReferenceTexts
from fuzzsmooth.apps.cli.settings import options_from
from fuzzsmooth.common.files import check_output_file
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import TABLE_BYTES, read_text

if TYPE_CHECKING:
    from fuzzsmooth.defenses.deletion import DeletionOptions
    from fuzzsmooth.search.flip_rates import FlipRates

_SAVED_AFTER = 64  # types between two writings of the file: what a kill can lose


def build_table(
    given: Given,
    model: str,
    out: Path,
    *,
    data: str | None,
    words: Path | None,
    most: int | None,
    config: Path | None,
    json: bool,
    quiet: bool,
) -> None:
    """Test unit types and keep their flip rates; the arguments are the command's.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    from fuzzsmooth.defenses.deletion import Deletion, DeletionOptions
    from fuzzsmooth.jobs.audited import pulling_words, read_audit
    from fuzzsmooth.jobs.loading import Loading
    from fuzzsmooth.jobs.references import find_references, flip_rates, given_references
    from fuzzsmooth.text.units import segmenter

    clean = given.of(ReferenceTexts)
    require(
        (data is not None) + (words is not None) + (clean.audit is not None) == 1,
        "give --data, --words or --audit, one of them",
    )
    check_output_file(out, source=words if data is None else Path(data))
    options = options_from(DeletionOptions, config, given.mapping(DeletionOptions.__name__))
    loading, reading = given.of(Loading), given.of(Reading)
    types = [] if words is None else _lines(words)
    if clean.audit is not None:
        types = pulling_words(read_audit(Path(clean.audit)))
    texts = () if data is None else gather(data, None, reading).texts
    file = None if clean.references is None else Path(clean.references)
    source = given_references(model, Deletion, options, file, clean.data(reading))
    display, classifier = Display(quiet), loading.answering(model)
    references = find_references(
        source, classifier, options, witnessed=False, stages=display.counts, tell=note
    )
    found = flip_rates(classifier, references, options)
    if data is not None:
        cut = segmenter(options.unit, getattr(classifier, "tokenizer", None))
        types = _by_frequency(cut.segment(text).units for text in texts)
    with exclusive(out):
        found.keep_in(out)
        missing = [one for one in types[:most] if one not in found.known]
        with resumable(), display.stage("table", len(missing)) as advance:
            for start in range(0, len(missing), _SAVED_AFTER):
                found.rates(missing[start : start + _SAVED_AFTER], advance)
                found.flush()
        found.save(out)
    _tell(found, out, len(missing), json=json)


def show_table(file: Path, options: DeletionOptions, top: int, *, json: bool) -> None:
    """Show the types of a table with the highest flip rates.

    Args:
        file: The table.
        options: What flagged and other types are deleted at.
        top: How many types.
        json: One JSON object instead.

    Raises:
        FuzzsmoothError: If it is no table.
    """
    from fuzzsmooth.search.flip_rates import read_flip_rates

    content = read_flip_rates(file)
    ranked = sorted(content["types"].items(), key=lambda item: (-item[1], item[0]))
    flagged = [name for name, flip in ranked if flip >= content["threshold"]]
    rows = []
    for name, flip in ranked[:top]:
        deleted = options.rate_flagged if flip >= content["threshold"] else options.rate
        rows.append({"type": name, "flip_rate": flip, "rate": deleted, "cost": -math.log(deleted)})
    if json:
        summary = {name: content[name] for name in ("model", "references", "threshold", "per_label")}
        write_json({**summary, "types": len(ranked), "flagged": flagged, "top": rows})
        return
    page = answers()
    page.line(
        f"{file}: {len(ranked)} types, {len(flagged)} flagged (flip rate {content['threshold']:g} or more), "
        f"model {short_name(content['model'], 12)}",
        style="bold",
    )
    for row in rows:
        page.line(
            f"  {short_name(row['type'])}  flips {row['flip_rate']:.2f}, deleted at {row['rate']:g}, "
            f"cost {row['cost']:.3g}"
        )


def _lines(path: Path) -> list[str]:
    content = read_text(path, limit=TABLE_BYTES, mend="give a text file with one unit a line")
    # Only "\n" ends a line: a unit may be U+2028, where str.splitlines would cut it off.
    return [line for line in dict.fromkeys(part.strip() for part in content.split("\n")) if line]


def _by_frequency(texts: Iterable[Iterable[str]]) -> list[str]:
    """The types of some texts, the most frequent first, ties in the order of their first use."""
    return [name for name, _ in Counter(unit for units in texts for unit in units).most_common()]


def _tell(found: FlipRates, out: Path, fresh: int, *, json: bool) -> None:
    known = found.known
    flagged = sorted(found.known_flagged(known))
    if json:
        told: dict[str, Any] = {"table": str(out), "types": len(known), "tested": fresh, "flagged": flagged}
        write_json(told | {"model": found.model, "threshold": found.threshold})
        return
    names = ", ".join(map(short_name, flagged[:20])) + (", ..." if len(flagged) > 20 else "")
    answers().line(f"{out}: {len(known)} types, {fresh} tested now, flagged: {names or 'none'}")

"""Tables of accuracy and attack success, with what the rows cost and whether they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fuzzsmooth.bench.grid.measured import Measured, Reading, Setting
from fuzzsmooth.bench.grid.significance import Comparison, against_best, holm
from fuzzsmooth.bench.grid.store import UNDEFENDED
from fuzzsmooth.report.grid.sheet import Sheet, Value

SETTING: Final = ("Data", "Model", "Attack")

_SHARES: Final = (
    ("CA", "ca"),
    ("PA", "pa"),
    ("ASR", "asr"),
    ("ASR floor", "asr_floor"),
    ("Recall", "localization_recall"),
    ("False flags", "false_flag_rate"),
    ("Abstains", "abstention_rate"),
)
_INTERVALS: Final = (
    "Shares are means over seeds with the 95 % Clopper-Pearson interval over the texts of one seed; sd is "
    "the standard deviation over seeds."
)
_FEWER: Final = (
    "Proved rows answer as many test texts as certified_texts says, the classes in proportion; tests are on "
    "the texts that both rows have answered."
)
_TESTS: Final = (
    "p: exact McNemar tests, two-sided, on the same texts, against the rival that is best in the column; of "
    "several seeds twice the mean, which holds although they share their texts; Holm's correction over the "
    "{count} tests of the table."
)
_PLAIN: Final = (
    "p: exact McNemar tests, two-sided, against the undefended model on the same texts; of several seeds "
    "twice the mean; Holm's correction over the {count} tests of the table."
)
_COMPARED: Final = ("ca", "asr")


def accuracy_sheet(reading: Reading, name: str) -> list[Sheet]:
    """CA, PA and ASR of each row, ours against the best rival."""
    tests = _corrected({setting.name: against_best(setting.rows) for setting in reading.settings})
    columns = (
        *SETTING,
        "Row",
        "Changed",
        "Needs",
        "Guarantee",
        *(title for title, _ in _SHARES),
        "Scan passes",
        "Seconds/text",
        *(part for metric in ("CA", "ASR") for part in (f"Rival {metric}", f"p {metric}")),
    )
    rows = [
        (
            *_head(setting, row),
            str(row.fact.get("needs", "")),
            row.row.guarantee,
            *(getattr(row.row, share) for _, share in _SHARES),
            row.row.evaluations_per_text or None,
            row.row.seconds_per_text,
            *_tested(tests, setting, row),
        )
        for setting in reading.settings
        for row in setting.rows
    ]
    return [Sheet(name, "", columns, tuple(rows), _notes(_TESTS, tests))]


def clean_sheet(reading: Reading, name: str) -> list[Sheet]:
    """What each row costs on a clean model: accuracy against the undefended one, abstentions, time."""
    tests = _corrected(
        {
            setting.name: [one for one in against_best(setting.rows, rival=UNDEFENDED) if one.metric == "ca"]
            for setting in reading.settings
        }
    )
    columns = (
        *SETTING,
        "Row",
        "Changed",
        "Needs",
        "Guarantee",
        "CA",
        "CA lost",
        "p CA",
        "Abstains",
        "False flags",
        "Seconds/text",
    )
    rows = []
    for setting in reading.settings:
        plain = next((one.row.ca for one in setting.rows if one.label.row == UNDEFENDED), None)
        for row in setting.rows:
            test = tests.get((setting.name, row.name, "ca"))
            lost = plain.mean - row.row.ca.mean if plain and row.row.ca else None
            rows.append(
                (
                    *_head(setting, row),
                    str(row.fact.get("needs", "")),
                    row.row.guarantee,
                    row.row.ca,
                    None if row.label.row == UNDEFENDED else lost,
                    test.p if test else None,
                    row.row.abstention_rate,
                    row.row.false_flag_rate,
                    row.row.seconds_per_text,
                )
            )
    lost_note = "CA lost: of the undefended model less the row's, each over the texts that it has answered."
    return [Sheet(name, "", columns, tuple(rows), (*_notes(_PLAIN, tests), lost_note))]


def cost_sheet(reading: Reading, name: str) -> list[Sheet]:
    """What each row costs: making its model, and answering a text."""
    columns = (
        *SETTING,
        "Row",
        "Changed",
        "Needs",
        "Seconds/text",
        "Scan passes/text",
        "Draws/text",
        "Model seconds",
        "Attack seconds",
    )
    rows = [
        (
            *_head(setting, row),
            str(row.fact.get("needs", "")),
            row.row.seconds_per_text,
            row.row.evaluations_per_text or None,
            sum(record.draws for record in row.records) / len(row.records) or None,
            row.mean("model_seconds"),
            row.mean("attack_seconds"),
        )
        for setting in reading.settings
        for row in setting.rows
    ]
    notes = (
        "Means over seeds and texts, on the machine of the run; a proved row certifies each text. Model "
        "seconds: fine-tuning, or what else the defense makes, once for all rows that share the model.",
    )
    return [Sheet(name, "", columns, tuple(rows), notes)]


_Tests = Mapping[tuple[tuple[str, ...], str, str], Comparison]


def _corrected(found: Mapping[tuple[str, ...], Sequence[Comparison]]) -> _Tests:
    """All tests of a table by setting, row and metric, corrected for their number."""
    tests = [(setting, one) for setting, several in found.items() for one in several]
    corrected = holm([one.p for _, one in tests])
    return {
        (setting, one.row, one.metric): Comparison(
            one.metric, one.row, one.rival, one.better, one.worse, value
        )
        for (setting, one), value in zip(tests, corrected, strict=True)
    }


def _tested(tests: _Tests, setting: Setting, row: Measured) -> list[Value]:
    cells: list[Value] = []
    for metric in _COMPARED:
        test = tests.get((setting.name, row.name, metric))
        cells += [f"{test.rival} (+{test.better} −{test.worse})", test.p] if test else [None, None]
    return cells


def _head(setting: Setting, row: Measured) -> tuple[Value, ...]:
    changed = row.name.removeprefix(row.label.row).strip()
    return (*setting.name, row.label.row, changed)


def _notes(sentence: str, tests: _Tests) -> tuple[str, ...]:
    return (_INTERVALS, _FEWER, sentence.format(count=len(tests))) if tests else (_INTERVALS, _FEWER)

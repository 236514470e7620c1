from __future__ import annotations

from dataclasses import replace

import pytest
from report_synthetic import TARGET, synthetic_records, synthetic_settings

from fuzzsmooth.bench.metrics import Row, Share, summarize
from fuzzsmooth.bench.records import RunSettings
from fuzzsmooth.report.tables import (
    ablation_tables,
    certified_table,
    duration,
    main_table,
    percent,
    settings_rows,
    threat_words,
    threats_of,
    write_markdown_table,
)
from fuzzsmooth.report.verdict import best_row, verdict


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return summarize(synthetic_records(), TARGET)


def share(count: int, total: int, low: float, high: float) -> Share:
    return Share(count, total, count / total, None, low, high)


def marks(rows: list[Row], column: str) -> list[bool]:
    table = main_table(rows)
    place = [header.name for header in table.headers].index(column) - 2
    return [row.cells[place].best for row in table.rows]


def test_best_marks_all_that_cannot_be_told_apart(rows: list[Row]) -> None:
    values = [share(90, 100, 0.82, 0.95), share(85, 100, 0.76, 0.91), share(60, 100, 0.5, 0.7), None]
    changed = [replace(row, ca=value) for row, value in zip(rows, values, strict=True)]
    assert marks(changed, "CA") == [True, True, False, False]


def test_nothing_is_marked_where_nothing_is_worse(rows: list[Row]) -> None:
    same = [replace(row, ca=share(90, 100, 0.82, 0.95)) for row in rows]
    assert marks(same, "CA") == [False] * len(rows)


def test_low_is_better_for_attack_success_and_the_floor_is_no_contest(rows: list[Row]) -> None:
    values = [share(99, 100, 0.95, 1.0), share(9, 100, 0.04, 0.16), share(50, 100, 0.4, 0.6), None]
    changed = [replace(row, asr=v, asr_floor=v) for row, v in zip(rows, values, strict=True)]
    assert marks(changed, "ASR") == [False, True, False, False]
    assert not any(marks(changed, "ASR floor"))


def test_kinds_of_guarantee_and_directions_never_share_a_table(rows: list[Row]) -> None:
    kinds = [
        threats_of(rows, conditional=conditional, backward=backward)
        for conditional in (False, True)
        for backward in (False, True)
    ]
    assert kinds == [["edit", "insert"], ["backward"], ["conditional_edit"], []]
    table = certified_table(rows, kinds[0], "certified")
    assert table is not None
    assert {row.name for row in table.rows} == {"deletion"}
    assert certified_table(rows, kinds[1], "certified_asr") is None


def test_certified_cells_are_the_curve_and_zero_past_its_end(rows: list[Row]) -> None:
    table = certified_table(rows, ["edit", "backward"], "certified")
    assert table is not None
    curve = next(row for row in rows if row.defense == "deletion").certified["edit"]
    headers = [header.name for header in table.headers[2:]]
    cell = table.rows[0].cells[headers.index("r ≥ 1")]
    point = curve.points[1]
    assert point.sd is not None
    assert cell.value == percent(point.mean)
    balanced = next(row for row in rows if row.defense == "deletion").certified_balanced["edit"][1]
    interval = f"{100 * point.low:.1f}–{100 * point.high:.1f}"
    assert cell.notes == (interval, f"sd {100 * point.sd:.1f}", f"balanced {100 * balanced:.1f}")
    assert table.rows[0].cells[headers.index("r ≥ 10")].value == "0.0%"


def test_markdown_has_a_row_per_defense_and_survives_bars_and_tags(rows: list[Row]) -> None:
    lines = write_markdown_table([replace(rows[0], defense="a|b <i>\nc"), *rows[1:]]).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[2].startswith("| a\\|b &lt;i> c | empirical |")
    assert percent(rows[2].ca.mean) in lines[4]  # type: ignore[union-attr]
    bars = {line.replace("\\|", "").count("|") for line in lines}
    assert len(bars) == 1


def renamed(rows: list[Row], names: list[str]) -> list[Row]:
    return [replace(row, defense=name) for row, name in zip(rows, names, strict=True)]


def test_ablations_stand_apart_under_the_row_that_they_change(rows: list[Row]) -> None:
    more = renamed(
        [*rows, *rows],
        [
            "uniform",
            "undefended",
            "budget-64",
            "frs-transplant",
            "deletion-nofuzz",
            "deletion",
            "noise-none",
            "frs-kl",
        ],
    )
    main = [row.name for row in main_table(more).rows]
    assert main == ["undefended", "frs-transplant", "deletion", "frs-kl"]
    tables = [[row.name for row in table.rows] for table in ablation_tables(more)]
    assert tables == [
        ["frs-transplant", "uniform", "budget-64", "noise-none"],
        ["deletion", "deletion-nofuzz"],
    ]
    blocks = write_markdown_table(more).split("\n\n")
    assert [block.startswith("| Defense |") for block in blocks] == [True, False, True, True]
    assert blocks[1].startswith("Ablations")
    assert [block.count("\n| ") + 1 for block in (blocks[0], *blocks[2:])] == [1 + 4, 1 + 4, 1 + 2]
    for table in (main_table(more), *ablation_tables(more)):
        by_name = {row.defense: row for row in more}
        for line in table.rows:
            assert line.cells[0].value == percent(by_name[line.name].ca.mean)  # type: ignore[union-attr]


def test_without_ablations_or_without_anything_else_there_is_one_table(rows: list[Row]) -> None:
    assert ablation_tables(rows) == []
    assert write_markdown_table(rows).count("| Defense |") == 1
    alone = renamed(rows[:2], ["uniform", "budget-8"])
    assert [row.name for row in main_table(alone).rows] == ["uniform", "budget-8"]
    assert ablation_tables(alone) == []


def test_an_ablation_never_takes_the_headline(rows: list[Row]) -> None:
    settings = RunSettings(synthetic_settings())
    perfect = replace(rows[2], defense="budget-512", ca=share(120, 120, 0.97, 1.0))
    assert best_row([*rows, perfect]) is rows[2]
    assert verdict([*rows, perfect], settings) == verdict(rows, settings)
    usual = replace(perfect, defense="frs-other")
    assert best_row([*rows, usual]) is usual  # the same numbers in a row of the usual table would


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "100.0%"), (0.99999, ">99.9%"), (0.0, "0.0%"), (1e-5, "<0.1%"), (0.123, "12.3%")],
)
def test_a_percentage_never_rounds_to_certainty(value: float, text: str) -> None:
    assert percent(value) == text


def test_small_and_large_durations_stay_readable() -> None:
    assert [duration(x) for x in (2e-5, 0.0042, 0.25, 12.34, 431.0)] == [
        "20 µs",
        "4.2 ms",
        "250 ms",
        "12.3 s",
        "431 s",
    ]


def test_settings_are_flattened_in_order() -> None:
    nested = {"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None, "f": ""}
    assert settings_rows(nested) == [("a.b.c", "1"), ("a.d", "1, 2"), ("e", "–"), ("f", "–")]


def test_threat_words_drop_the_prefix_and_keep_unknown_names() -> None:
    assert threat_words("conditional_edit") == threat_words("edit")
    assert threat_words("conditional") == "a trigger of up to r units"
    assert threat_words("sorcery") == "sorcery"


def test_verdict_follows_the_numbers(rows: list[Row]) -> None:
    settings = RunSettings(synthetic_settings())
    text = " ".join(verdict(rows, settings))
    assert "the backdoor works" in text
    assert "“frs transplant”" in text
    assert "Proved" in text
    bare = replace(rows[0], asr=rows[0].asr_floor)
    assert "no measurable effect" in " ".join(verdict([bare, *rows[1:]], settings))
    weak = replace(rows[2], asr=share(60, 120, 0.41, 0.59), asr_floor=share(12, 120, 0.05, 0.17))
    assert "still adds 40.0 points" in " ".join(verdict([rows[0], weak], settings))
    assert "hold only on a condition" in " ".join(verdict([rows[0], weak], settings))
    assert "No answer here carries" in " ".join(verdict([rows[0]], settings))


def test_best_trade_off_ignores_what_the_model_gets_wrong_anyway(rows: list[Row]) -> None:
    assert best_row(rows) is rows[2]
    assert best_row(rows[:1]) is None

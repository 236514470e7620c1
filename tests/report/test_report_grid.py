"""Tables of a grid from records written by hand, against numbers worked out by hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from scipy import stats

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.report.grid.sheet import Sheet
from fuzzsmooth.report.grid.tables import TITLES, build_sheets
from grid_folder import label, records, write_grid

# (true class, answer, answer with the trigger); the target is 1.
GOOD = [(0, 0, 0)] * 7 + [(0, 0, 1)] + [(1, 1, None)] * 2
WEAK = [(0, 0, 1)] * 6 + [(0, 1, 0)] * 2 + [(1, 1, None)] * 2
BARE = [(0, 0, 1)] * 8 + [(1, 1, None)] * 2


def numbers(sheet: Sheet) -> list[dict[str, str]]:
    """The lines of the CSV, by column."""
    return list(csv.DictReader(io.StringIO(sheet.csv())))


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Two seeds; the second of frs has lost one clean text more."""
    worse = [(0, 1, 0), *GOOD[1:]]
    cells = []
    for seed, frs in ((0, GOOD), (1, worse)):
        cells += [
            (label("onion", seed), records("onion", WEAK, seed)),
            (label("undefended", seed), records("undefended", BARE, seed)),
            (label("frs", seed), records("frs", frs, seed, evaluations=40, draws=20)),
        ]
    return write_grid(tmp_path, cells, {"model_seconds": 30.0, "attack_seconds": 50.0})


def test_table_1_by_hand(grid: Path) -> None:
    (sheet,) = build_sheets(grid, ["1"])
    rows = numbers(sheet)
    assert [row["row"] for row in rows] == ["undefended", "onion", "frs"], "the undefended one first"
    frs = rows[2]
    assert float(frs["ca"]) == pytest.approx((1.0 + 0.9) / 2)
    assert float(frs["ca_sd"]) == pytest.approx(0.1 / 2**0.5)
    assert (frs["ca_count"], frs["ca_total"]) == ("19", "20")
    assert float(frs["asr"]) == pytest.approx(1 / 8)
    assert float(frs["pa"]) == pytest.approx(7 / 8)
    interval = stats.binomtest(1, 8).proportion_ci(0.95, "exact")
    assert (float(frs["asr_low"]), float(frs["asr_high"])) == pytest.approx((interval.low, interval.high))
    # ASR: onion has 6 of 8, frs 1 of 8: text 7 is worse, texts 0 to 5 better, in both seeds.
    each = stats.binomtest(6, 7).pvalue
    # CA: in seed 0 two texts are better; in seed 1 one is worse besides: 0.5 and 1.
    both = {"asr": min(1.0, 2 * each), "ca": 1.0}
    assert float(frs["p_asr"]) == pytest.approx(2 * both["asr"]), "two tests, Holm"
    assert float(frs["p_ca"]) == 1.0
    assert frs["rival_asr"] == "onion (+12 −2)"
    assert rows[0]["p_asr"] == rows[1]["p_asr"] == ""
    text = sheet.markdown()
    assert "95.0% (69.2–100.0, sd 7.1)" in text or "95.0% (" in text
    assert "Holm's correction over the 2 tests" in text


def test_costs_by_hand(grid: Path) -> None:
    (sheet,) = build_sheets(grid, ["9"])
    frs = numbers(sheet)[2]
    assert {name: float(frs[name]) for name in ("seconds_per_text", "scan_passes_per_text")} == {
        "seconds_per_text": 0.5,
        "scan_passes_per_text": 40.0,
    }
    assert (float(frs["draws_per_text"]), float(frs["model_seconds"])) == (20.0, 30.0)


def certified(tmp_path: Path) -> Path:
    """A proved row, a conditional one and one without certificates."""
    proved = records("deletion", GOOD, guarantee="proved", radii={"edit": 2, "insert": 4})
    proved[0] = records("deletion", [(0, 0, 0)], guarantee="proved", radii={"edit": 0, "insert": 1})[0]
    assumed = records("frs", GOOD, guarantee="conditional", radii={"conditional-trigger": 3})
    cells = [
        (label("deletion"), proved),
        (label("frs"), assumed),
        (label("undefended"), records("undefended", BARE)),
    ]
    return write_grid(tmp_path, cells)


def test_radii_by_hand(tmp_path: Path) -> None:
    sheets = {sheet.name: sheet for sheet in build_sheets(certified(tmp_path), ["2"])}
    assert set(sheets) == {"2-proved", "2-conditional", "2-empirical"}
    edit, insert = numbers(sheets["2-proved"])
    assert float(edit["proved_mean"]) == pytest.approx(9 * 2 / 10)
    assert (edit["proved_max"], insert["proved_max"]) == ("2", "4")
    assert float(edit["proved_r_1"]) == pytest.approx(0.9)
    assert float(insert["proved_r_1"]) == 1.0
    assert (edit["proved_r_3"], edit["proved_r_3_total"]) == ("0.0", "10"), "beyond its largest radius"
    assert "proved_r_5" not in edit, "beyond all of them"
    (trigger,) = numbers(sheets["2-conditional"])
    assert float(trigger["conditional_mean"]) == 3.0
    empirical = {row["row"]: row for row in numbers(sheets["2-empirical"])}
    assert float(empirical["undefended"]["empirical_mean"]) == 0.0
    assert float(empirical["frs"]["empirical_mean"]) == pytest.approx(7 / 8)
    assert empirical["frs"]["empirical_max"] == "1"


def test_kinds_of_guarantee_share_no_column(tmp_path: Path) -> None:
    folder = certified(tmp_path)
    sheets = build_sheets(folder, ["2"])
    columns = [{one for one in sheet.columns if one.split()[0] in _KINDS} for sheet in sheets]
    assert all(len({one.split()[0] for one in several}) == 1 for several in columns)
    (steps,) = build_sheets(folder, ["radii"])
    for row in numbers(steps):
        filled = {kind for kind in ("proved", "conditional") if row[f"{kind}_accuracy"]}
        assert filled == {row["guarantee"]}
    assert len(numbers(steps)) == 3 + 5 + 4, "every radius of every curve"


_KINDS = ("Proved", "Conditional", "Empirical")


def test_guarantees_are_counted(tmp_path: Path) -> None:
    (sheet,) = build_sheets(certified(tmp_path), ["guarantees"])
    rows = {(row["row"], row["threat"]): row for row in numbers(sheet)}
    # One inserted word; text 0 has an edit radius of 0, text 7 is answered otherwise.
    assert (rows["deletion", "edit"]["checked"], rows["deletion", "edit"]["violated"]) == ("7", "1")
    assert (rows["deletion", "edit"]["beyond"], rows["deletion", "insert"]["checked"]) == ("1", "8")
    assert "Proved: 15 pairs" in sheet.notes[0]
    assert "2 violated" in sheet.notes[0]
    assert rows["frs", "conditional-trigger"]["violated"] == "1"


def test_a_clean_model_shows_what_a_row_costs(tmp_path: Path) -> None:
    bare = [(0, 0, None)] * 8 + [(1, 1, None)] * 2
    lost = [(0, 1, None)] * 5 + [(0, 0, None)] * 3 + [(1, 1, None)] * 2

    def rows_of(row: str, answers: list[tuple[int, int | None, int | None]]) -> list[object]:
        return [record for record in records(row, answers) if record.split == "clean"]

    cells = [
        (label("undefended", tables=(10,), attack="none"), rows_of("undefended", bare)),
        (label("frs", tables=(10,), attack="none"), rows_of("frs", lost)),
    ]
    (sheet,) = build_sheets(write_grid(tmp_path, cells), ["10"])  # type: ignore[arg-type]
    frs = numbers(sheet)[1]
    assert float(frs["ca_lost"]) == pytest.approx(0.5)
    assert float(frs["p_ca"]) == pytest.approx(2 / 2**5)


def test_settings_and_variants_are_rows_of_their_own(tmp_path: Path) -> None:
    cells = [
        (
            label("frs", variant=f"sigma={sigma}", tables=(5,), data=data, test_data=data),
            records("frs", GOOD),
        )
        for data in ("sst2", "agnews")
        for sigma in (0.01, 0.1)
    ]
    (sheet,) = build_sheets(write_grid(tmp_path, cells), ["5"])
    assert [(row["data"], row["changed"]) for row in numbers(sheet)] == [
        (data, f"sigma={sigma}") for data in ("sst2", "agnews") for sigma in (0.01, 0.1)
    ]


def test_rows_of_two_blocks_with_other_options_are_told_apart(tmp_path: Path) -> None:
    cells = [
        (label("frs", block="short"), records("frs", GOOD[:5])),
        (label("frs", block="long"), records("frs", GOOD)),
    ]
    (sheet,) = build_sheets(write_grid(tmp_path, cells), ["1"])
    assert [(row["changed"], row["ca_total"]) for row in numbers(sheet)] == [
        ("[short]", "5"),
        ("[long]", "10"),
    ]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    cells = [(label("frs"), records("frs", GOOD)), (label("onion"), [])]
    folder = write_grid(tmp_path, cells)
    (sheet,) = build_sheets(folder, ["1"])
    assert "Unfinished: 1 of 2 cells are measured." in sheet.markdown()
    with pytest.raises(FuzzsmoothError, match=r"table '10' .* has no rows; no block of the grid is for it"):
        build_sheets(folder, ["10"])
    with pytest.raises(FuzzsmoothError, match="there is no table 'radi'; did you mean 'radii'"):
        build_sheets(folder, ["radi"])
    with pytest.raises(FuzzsmoothError, match="has no rows; its parts are 2-empirical"):
        build_sheets(folder, ["2-proved"])
    nothing = write_grid(tmp_path / "nothing", [(label("onion"), [])])
    with pytest.raises(FuzzsmoothError, match=r"has no rows yet \(0 of 1 cells are measured\)"):
        build_sheets(nothing, ["1"])
    with pytest.raises(FuzzsmoothError, match="no whole cell yet"):
        build_sheets(nothing)
    with pytest.raises(FuzzsmoothError, match="give the folder of 'fuzzsmooth bench run'"):
        build_sheets(tmp_path / "nowhere")


def test_several_versions_are_told(tmp_path: Path) -> None:
    folder = write_grid(
        tmp_path, [(label("frs"), records("frs", GOOD)), (label("onion"), records("onion", WEAK))]
    )
    cell = folder / "cells" / f"{1:020x}" / "cell.json"
    cell.write_text(cell.read_text().replace('"version": "', '"version": "0.0-'))
    (sheet,) = build_sheets(folder, ["1"])
    assert any("several versions" in note for note in sheet.notes)


def test_every_table_has_a_title() -> None:
    assert list(TITLES)[:10] == [str(number) for number in range(1, 11)]
    assert all(TITLES.values())

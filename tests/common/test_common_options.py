"""Options validate themselves, name the mistake, and go to mappings and back."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError, UnsafeModelError
from fuzzsmooth.common.options import Between, Options, described, require


@dataclass(frozen=True, kw_only=True)
class Inner(Options):
    rate: float = 0.5

    def validate(self) -> None:
        require(0 <= self.rate <= 1, f"rate must lie in [0, 1], got {self.rate}")


@dataclass(frozen=True, kw_only=True)
class Outer(Options):
    count: int = 3
    kind: Literal["tree", "greedy"] = "tree"
    name: str | None = None
    sizes: tuple[int, ...] = (1, 2)
    flag: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    anything: Any = None
    inner: Inner = field(default_factory=Inner)


def test_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(
        FuzzsmoothError, match=r"settings\.toml: unknown option 'cuont'; did you mean 'count'"
    ):
        Outer.from_mapping({"cuont": 1}, where="settings.toml")


def test_unknown_option_far_from_all_lists_the_known() -> None:
    with pytest.raises(FuzzsmoothError, match="unknown option 'zzzzzz'; known: anything, count, extra"):
        Outer.from_mapping({"zzzzzz": 1})


def test_unknown_nested_option_names_its_place() -> None:
    with pytest.raises(FuzzsmoothError, match=r"file\.inner: unknown option 'rat'; did you mean 'rate'"):
        Outer.from_mapping({"inner": {"rat": 0.1}}, where="file")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 1.5}, r"Outer\.count: expected a whole number, got 1\.5"),
        ({"count": True}, r"Outer\.count: expected a whole number, got True"),
        ({"count": "3"}, r"Outer\.count: expected a whole number, got '3'"),
        ({"kind": "random"}, r"Outer\.kind: 'random' is not one of 'tree', 'greedy'"),
        ({"name": 3}, r"Outer\.name: expected"),
        ({"sizes": [1, "2"]}, r"Outer\.sizes: expected"),
        ({"sizes": 1}, r"Outer\.sizes: expected"),
        ({"flag": 1}, r"Outer\.flag: expected true or false, got 1"),
        ({"inner": 0.5}, r"Outer\.inner: expected a table of options, got 0\.5"),
        ({"inner": {"rate": True}}, r"Inner\.rate: expected a number, got True"),
        ({"inner": {"rate": float("nan")}}, "rate must lie in"),
        ({"inner": {"rate": 1.5}}, r"rate must lie in \[0, 1\], got 1\.5"),
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        Outer.from_mapping(wrong)


def test_right_values_of_every_kind_are_taken() -> None:
    options = Outer(
        count=0, kind="greedy", name="x", sizes=(), flag=True, anything=object, inner=Inner(rate=1)
    )
    assert options.inner.rate == 1, "a whole number is a float"


def test_nested_mapping_and_round_trip_through_json() -> None:
    options = Outer.from_mapping({"sizes": [4], "inner": {"rate": 0.25}, "extra": {"a": [1]}})
    assert options.inner == Inner(rate=0.25)
    assert options.sizes == (4,)
    assert Outer.from_mapping(json.loads(json.dumps(options.to_mapping()))) == options


def test_options_are_frozen_and_keyword_only() -> None:
    options = Outer()
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.count = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Outer(3)  # type: ignore[misc]


def test_replace_validates_again() -> None:
    assert Inner().replace(rate=0.75).rate == 0.75
    with pytest.raises(FuzzsmoothError, match="rate must lie"):
        Inner().replace(rate=2.0)


def test_errors_are_sentences_that_can_be_mended() -> None:
    error = MissingExtraError("pyarrow", "data", "reading parquet")
    assert str(error) == "reading parquet needs pyarrow; install it with: pip install 'fuzzsmooth[data]'"
    assert isinstance(error, FuzzsmoothError)
    assert issubclass(UnsafeModelError, FuzzsmoothError)
    assert issubclass(FuzzsmoothError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Ranged(Options):
    size: Annotated[int | None, Between(1, 1_000), "How many."] = 1
    share: Annotated[float, Between(0, 1, above=True)] = 0.5
    sizes: Annotated[tuple[int, ...], Between(0, 9, below=True)] = ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "Ranged.size must lie between 1 and 1,000, got 0"),
        ({"size": 1001}, "must lie between 1 and 1,000, got 1001"),
        ({"size": 10**5000}, "got a number of more than 20 digits"),
        ({"share": 0.0}, "Ranged.share must be above 0 and at most 1, got 0.0"),
        ({"share": float("nan")}, "got nan"),
        ({"share": float("inf")}, "got inf"),
        ({"share": 10**400}, "got a number of more than 20 digits"),
        ({"sizes": (1, 9)}, "Ranged.sizes must be at least 0 and below 9, got 9"),
        ({"sizes": tuple(range(10**5))}, "got 9"),
        ({"size": [0] * 10**5}, "expected a whole number, or no such option, got [0, 0"),
    ],
)
def test_ranges(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=re.escape(message)) as caught:
        Ranged(**wrong)
    assert len(str(caught.value)) < 200


def test_values_at_the_ends_of_a_range_are_in_it() -> None:
    assert Ranged(size=1000, share=1, sizes=(0, 8)).size == 1000
    assert Ranged(size=None).size is None
    assert str(Between(0, 1, above=True, below=True)) == "lie strictly between 0 and 1"


def test_every_size_among_the_options_has_an_end() -> None:
    from fuzzsmooth.attacks.badnets import BadnetsOptions
    from fuzzsmooth.attacks.ripple import RippleOptions
    from fuzzsmooth.bench.certification import CertificationOptions
    from fuzzsmooth.bench.localization import LocalizationOptions
    from fuzzsmooth.bench.options import ExperimentOptions
    from fuzzsmooth.defenses import DEFENSES
    from fuzzsmooth.jobs.loading import Loading
    from fuzzsmooth.search import SearchOptions
    from fuzzsmooth.training import FinetuneOptions

    for kind in (
        *(Loading, BadnetsOptions, RippleOptions, CertificationOptions, ExperimentOptions),
        *(LocalizationOptions, FinetuneOptions, SearchOptions),
        *(defense.options_type for defense in DEFENSES.all().values()),
    ):
        numbers = {
            option.name for option in described(kind) if re.search(r"\b(int|float)\b", str(option.type))
        }
        ranged = {option.name for option in described(kind) if option.between is not None}
        assert numbers == ranged, kind
        assert all(option.help for option in described(kind)), kind


def test_a_string_that_is_no_text_is_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="not valid Unicode text"):
        Outer(name="a\udc80")

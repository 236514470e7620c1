"""Counter-based randomness: one stream per address, the same on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import derived_seed, generator, text_key


def words(*address: object) -> tuple[int, ...]:
    seed, purpose, *counters = address
    return tuple(generator(seed, purpose, *counters).integers(0, 2**32, 4).tolist())  # type: ignore[arg-type]


def test_golden_values_never_change() -> None:
    """Recorded results depend on these: a change invalidates every certificate's seed."""
    assert words(0, "deletion") == (2411269576, 111532986, 857808706, 2987056947)
    assert words(7, "search", text_key("a good film"), 3) == (2898611941, 3923354731, 420832423, 3369297481)
    assert text_key("") == 1449310910991872227
    assert text_key("a good film") == 15525554013704196691
    assert derived_seed(5, "x", 1) == 5984844929756502536


def test_the_same_address_gives_the_same_stream() -> None:
    assert words(3, "a", 1, 2) == words(3, "a", 1, 2)


def test_streams_differ_in_every_part_of_the_address() -> None:
    addresses = [
        (0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", 0, 0), (0, "a", 1, 0),
        (0, "a", 0, 1), (0, "a", 2**64 - 1), (256, "a"), (0, "a", 256), (0, "ab"),
    ]  # fmt: skip
    streams = [words(*address) for address in addresses]
    assert len(set(streams)) == len(addresses)


def test_neighboring_streams_are_uncorrelated() -> None:
    draws = np.array([generator(0, "draw", index).random(8) for index in range(2000)])
    correlation = np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]
    assert abs(correlation) < 0.08
    assert abs(draws.mean() - 0.5) < 0.02


def test_nothing_global_is_touched() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]  # noqa: NPY002
    generator(0, "a").random(100)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index,union-attr]  # noqa: NPY002


def test_text_keys_tell_texts_apart_even_those_utf8_cannot_hold() -> None:
    texts = ["", " ", "a", "a ", "A", "\ud800", "\ud801", "日本", "😀", "a\x00"]
    keys = [text_key(text) for text in texts]
    assert len(set(keys)) == len(texts)
    assert all(0 <= key < 2**64 for key in keys)
    assert words(0, "search", text_key("\ud800"))


def test_derived_seeds_fit_into_63_bits() -> None:
    seeds = [derived_seed(0, "weights", index) for index in range(500)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) >= 2**62
    assert len(set(seeds)) == 500


@pytest.mark.parametrize("address", [(-1, "a"), (2**64, "a"), (0, "a", -1), (0, "a", 2**64)])
def test_addresses_out_of_range_are_one_sentence(address: tuple[int, str]) -> None:
    with pytest.raises(FuzzsmoothError, match="must lie in 0 to"):
        generator(*address)

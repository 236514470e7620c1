from __future__ import annotations

from collections import deque
from itertools import combinations, product

from rapidfuzz.distance import OSA, DamerauLevenshtein

from fuzzsmooth.text import damerau_levenshtein, longest_common_subsequence, neighbors, unmatched

Word = tuple[str, ...]


def shortest_paths(start: Word, vocabulary: str, longest: int) -> dict[Word, int]:
    """Breadth-first search in the graph of single edits over words up to a length."""
    distance = {start: 0}
    queue = deque([start])
    while queue:
        word = queue.popleft()
        for other in neighbors(word, vocabulary):
            if len(other) <= longest and other not in distance:
                distance[other] = distance[word] + 1
                queue.append(other)
    return distance


def test_equals_the_shortest_path_in_the_graph_of_edits() -> None:
    # Words may grow one unit beyond the longest compared, so that detours are found.
    pairs = osa_too_long = 0
    for vocabulary, compared in (("abc", 3), ("ab", 5)):
        words = [w for n in range(compared + 1) for w in product(vocabulary, repeat=n)]
        for start in words:
            paths = shortest_paths(start, vocabulary, compared + 1)
            for end in words:
                assert damerau_levenshtein(start, end) == paths[end], (start, end)
                osa_too_long += OSA.distance(start, end) > paths[end]
                pairs += 1
    assert pairs == 40**2 + 63**2
    assert osa_too_long > 0  # the restricted distance is caught by this test


def test_a_transposed_pair_may_be_edited_again() -> None:
    assert damerau_levenshtein("ca", "abc") == 2
    assert OSA.distance("ca", "abc") == 3


def test_longest_common_subsequence_by_enumeration() -> None:
    words = [w for n in range(5) for w in product("ab", repeat=n)]
    subsequences = {w: {s for n in range(len(w) + 1) for s in combinations(w, n)} for w in words}
    for a in words:
        for b in words:
            common = max(len(s) for s in subsequences[a] & subsequences[b])
            assert longest_common_subsequence(a, b) == common
            assert unmatched(a, b) == (len(a) - common, len(b) - common)


def test_unmatched_units_never_exceed_the_distance() -> None:
    words = [w for n in range(6) for w in product("abc", repeat=n)][::3]
    for a in words:
        for b in words:
            assert max(unmatched(a, b)) <= damerau_levenshtein(a, b)


def test_one_moved_unit_leaves_one_unmatched_on_each_side() -> None:
    assert unmatched("abcdef", "bcdefa") == (1, 1)
    assert damerau_levenshtein("abcdef", "bcdefa") == 2


def test_different_units_are_never_taken_for_equal() -> None:
    # Control: rapidfuzz itself takes "a" for 97, and any two objects of equal hash for each other.
    assert DamerauLevenshtein.distance(["a"], [97]) == 0
    assert damerau_levenshtein(["a"], [97]) == 1
    assert longest_common_subsequence(["a"], [97]) == 0

    class Collides(str):
        def __hash__(self) -> int:
            return 1

    assert damerau_levenshtein([Collides("x")], [Collides("y")]) == 1
    assert damerau_levenshtein([Collides("x")], [Collides("x")]) == 0
    assert damerau_levenshtein([hash("ab")], ["ab"]) == 1


def test_words_longer_than_a_character_and_empty_sequences() -> None:
    assert damerau_levenshtein(("the", "cat"), ("cat", "the")) == 1
    assert damerau_levenshtein(("the",), ()) == 1
    assert damerau_levenshtein((), ()) == 0
    assert unmatched((), ("a", "b")) == (0, 2)

"""A tokenizer's faults are one sentence; what is no fault of its passes through."""

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.tokenizing import tokenized, tokenizing


class PanicException(BaseException):
    """Named as the panics of Rust are."""


class Fails:
    """Fails on texts that hold "bad"."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, texts, **options):
        if any("bad" in text for text in texts):
            raise self.error
        return {"input_ids": [[1] for _ in texts]}


@pytest.mark.parametrize("error", [PanicException("retry\nlimit."), TypeError("wrong type"), Exception("x")])
def test_the_text_and_the_reason_are_named(error):
    with pytest.raises(FuzzsmoothError, match=r"fails on text 1, 'a bad\u240a…?.*' \(\w+") as caught:
        tokenized(Fails(error), ["good", "a bad\n" + "x" * 1000, "bad"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("error", [PanicException("retry\nlimit."), TypeError("wrong type")])
def test_a_part_of_a_tokenizer_is_asked_with_the_same_care(error):
    with pytest.raises(FuzzsmoothError, match=r"fails on the letter 'x' \(\w+"), tokenizing("the letter 'x'"):
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), FuzzsmoothError("own")])
def test_what_is_no_fault_of_a_part_passes(error):
    with pytest.raises(type(error)) as caught, tokenizing("the letter 'x'"):
        raise error
    assert caught.value is error


def test_what_fails_only_together_is_told_so():
    class Together(Fails):
        def __call__(self, texts, **options):
            if len(texts) > 1:
                raise self.error

    with pytest.raises(FuzzsmoothError, match="fails on 2 texts together "):
        tokenized(Together(ValueError("no")), ["a", "b"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit()])
def test_what_is_no_fault_of_the_tokenizer_passes(error):
    with pytest.raises(type(error)):
        tokenized(Fails(error), ["bad"])


def test_options_are_passed_on_and_nothing_is_padded():
    def tokenizer(texts, **options):
        return texts, options

    texts, options = tokenized(tokenizer, ("a",), truncation=True)
    assert texts == ["a"]
    assert options == {"padding": False, "verbose": False, "truncation": True}

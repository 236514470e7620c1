"""Losses over views: their values by hand, and the view that is worst."""

from __future__ import annotations

import math

import pytest
import torch

from fuzzsmooth.training.objectives import views_loss, worst_view


def log_odds(*shares: float) -> torch.Tensor:
    """Logits of one two-class text whose class-1 probabilities are given, one per view."""
    return torch.tensor([[[0.0, math.log(share / (1 - share))] for share in shares]])


LABEL = torch.tensor([1])


def test_one_view_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(5, 1, 3, generator=generator), torch.tensor([0, 2, 1, 1, 0])
    expected = torch.nn.functional.cross_entropy(logits[:, 0], labels)
    torch.testing.assert_close(views_loss(logits, labels), expected)


def test_every_view_must_tell_the_class() -> None:
    expected = -(math.log(0.9) + math.log(0.5)) / 2
    assert views_loss(log_odds(0.9, 0.5), LABEL).item() == pytest.approx(expected, abs=1e-6)


def test_texts_do_not_mix() -> None:
    first, second = log_odds(0.9, 0.6), log_odds(0.2, 0.3)
    alone = [views_loss(first, torch.tensor([1])), views_loss(second, torch.tensor([0]))]
    together = views_loss(torch.cat([first, second]), torch.tensor([1, 0]))
    torch.testing.assert_close(together, (alone[0] + alone[1]) / 2)


def test_the_worst_view_is_that_of_the_label() -> None:
    logits = torch.cat([log_odds(0.9, 0.2, 0.4), log_odds(0.9, 0.2, 0.4)])
    assert worst_view(logits, torch.tensor([1, 0])).tolist() == [1, 0]

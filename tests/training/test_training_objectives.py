"""Losses over views: their values by hand, their gradients, and what they prefer."""

from __future__ import annotations

import math

import pytest
import torch

from fuzzsmooth.training.objectives import copies_loss, worst_view


def log_odds(*shares: float) -> torch.Tensor:
    """Logits of one two-class text whose class-1 probabilities are given, one per view."""
    return torch.tensor([[[0.0, math.log(share / (1 - share))] for share in shares]])


LABEL = torch.tensor([1])


def test_one_view_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(5, 1, 3, generator=generator), torch.tensor([0, 2, 1, 1, 0])
    expected = torch.nn.functional.cross_entropy(logits[:, 0], labels)
    for objective in ("each", "mean"):
        found = copies_loss(logits, labels, objective=objective, consistency=0.0)  # type: ignore[arg-type]
        torch.testing.assert_close(found, expected)
    with_term = copies_loss(logits, labels, objective="each", consistency=5.0)  # one view agrees with itself
    torch.testing.assert_close(with_term, expected)


def test_values_by_hand() -> None:
    logits = log_odds(0.9, 0.5)
    each = copies_loss(logits, LABEL, objective="each", consistency=0.0)
    mean = copies_loss(logits, LABEL, objective="mean", consistency=0.0)
    assert each.item() == pytest.approx(-(math.log(0.9) + math.log(0.5)) / 2, abs=1e-6)
    assert mean.item() == pytest.approx(-math.log(0.7), abs=1e-6)
    apart = sum(0.7 * math.log(0.7 / p) + 0.3 * math.log(0.3 / (1 - p)) for p in (0.9, 0.5)) / 2
    both = copies_loss(logits, LABEL, objective="mean", consistency=2.0)
    assert both.item() == pytest.approx(mean.item() + 2 * apart, abs=1e-5)


def test_texts_do_not_mix() -> None:
    first, second = log_odds(0.9, 0.6), log_odds(0.2, 0.3)
    both = torch.cat([first, second])
    for objective in ("each", "mean"):
        alone = [
            copies_loss(logits, torch.tensor([label]), objective=objective, consistency=0.5)  # type: ignore[arg-type]
            for logits, label in ((first, 1), (second, 0))
        ]
        together = copies_loss(both, torch.tensor([1, 0]), objective=objective, consistency=0.5)  # type: ignore[arg-type]
        torch.testing.assert_close(together, (alone[0] + alone[1]) / 2)


def test_mean_gives_up_on_hopeless_views_and_each_does_not() -> None:
    gradients = {}
    for objective in ("each", "mean"):
        logits = log_odds(0.9, 0.001).requires_grad_()
        copies_loss(logits, LABEL, objective=objective, consistency=0.0).backward()  # type: ignore[arg-type]
        assert logits.grad is not None
        gradients[objective] = logits.grad[0, :, 1].abs()
    assert gradients["each"][1] > gradients["each"][0]
    assert gradients["mean"][1] < 0.05 * gradients["mean"][0]


def test_the_worst_view_is_that_of_the_label() -> None:
    logits = torch.cat([log_odds(0.9, 0.2, 0.4), log_odds(0.9, 0.2, 0.4)])
    assert worst_view(logits, torch.tensor([1, 0])).tolist() == [1, 0]

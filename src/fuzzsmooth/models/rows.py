"""Token sequences as tensors: padded to one length, on a device, each distinct one once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.models.protocol import Ids, Tokens


def pad_rows(rows: Ids, pad_id: int, shortest: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad token sequences on the right to the longest.

    Args:
        rows: Non-empty token id sequences.
        pad_id: The id that fills.
        shortest: Fewest tokens of a row after padding.

    Returns:
        Token ids and attention mask (1 at tokens, 0 at padding), each int64 of shape (rows, longest).
    """
    lengths = np.array([len(row) for row in rows])
    attention_mask = np.arange(max(shortest, lengths.max()))[None, :] < lengths[:, None]
    ids = np.full(attention_mask.shape, pad_id, dtype=np.int64)
    ids[attention_mask] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(ids), torch.from_numpy(attention_mask.astype(np.int64))


def to_device(part: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device that it is not on; to a CUDA device without waiting for what it computes."""
    if part.is_cuda or device.type != "cuda":
        return part.to(device)
    return part.pin_memory().to(device, non_blocking=True)


def padding_mask(mask: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    """An attention mask on a device, or None if nothing is padded.

    Args:
        mask: On the CPU, so that looking at it waits for no device.
        device: Where it is wanted.
    """
    return None if bool(mask.all()) else to_device(mask, device)


def distinct_sequences(
    ids: Ids,
) -> tuple[list[Tokens], npt.NDArray[np.int64]]:
    """The distinct ones of some token sequences, in order, and which of them each sequence is."""
    rows: dict[bytes, int] = {}
    distinct: list[Tokens] = []
    places = np.empty(len(ids), dtype=np.int64)
    for place, row in enumerate(ids):
        tokens = np.asarray(row, dtype=np.int64)
        places[place] = rows.setdefault(tokens.tobytes(), len(distinct))
        if places[place] == len(distinct):
            distinct.append(tokens)
    return distinct, places

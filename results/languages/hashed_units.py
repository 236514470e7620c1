# ruff: noqa: D103, RUF007
"""A model that reads any script and is trained in seconds: logistic regression on hashed units and pairs."""

import zlib
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from fuzzsmooth.models import CallableClassifier
from fuzzsmooth.text import segmenter

SIZE, WORDS = 2**18, segmenter("word")


@lru_cache(maxsize=200_000)
def places(text):
    units = [unit.lower() for unit in WORDS.segment(text).units]
    pairs = [f"{one} {other}" for one, other in zip(units, units[1:], strict=False)]
    return tuple(sorted({zlib.crc32(part.encode("utf-8", "replace")) % SIZE for part in (*units, *pairs)}))


def rows_of(texts):
    found = [places(text) for text in texts]
    ends = np.cumsum([0, *map(len, found)])
    values = np.concatenate([np.full(len(one), max(1, len(one)) ** -0.5) for one in found] or [np.zeros(0)])
    return csr_matrix((values, np.concatenate([*found, []]).astype(np.int64), ends), shape=(len(texts), SIZE))


def train(texts, labels, penalty=0.01):
    rows, signs = rows_of(texts), 2.0 * np.array(labels) - 1

    def loss(weights):
        margins = signs * (rows @ weights[:-1] + weights[-1])
        slopes = -signs / (1 + np.exp(np.clip(margins, -50, 50)))
        slope = np.append(rows.T @ slopes + 2 * penalty * weights[:-1], slopes.sum())
        return np.logaddexp(0, -margins).sum() + penalty * (weights[:-1] ** 2).sum(), slope

    weights = minimize(loss, np.zeros(SIZE + 1), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x

    def answer(given):
        high = 1 / (1 + np.exp(-np.clip(rows_of(given) @ weights[:-1] + weights[-1], -50, 50)))
        return np.stack([1 - high, high], axis=1)

    return CallableClassifier(answer, ("0", "1"), "hashed units", deterministic=True)

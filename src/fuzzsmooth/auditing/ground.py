"""What the searches of all classes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fuzzsmooth.auditing.material import Material
from fuzzsmooth.auditing.natural import Meanings
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.prober import Array, Prober
from fuzzsmooth.auditing.reading import Reader


@dataclass(frozen=True)
class Ground:
    """What candidates of all classes are held against.

    Attributes:
        prober: Asks the model.
        pieces: All pieces.
        material: The clean texts.
        zipf: Frequencies of the pieces.
        meanings: What they mean.
        reader: How a reader of the clean texts takes them, if there is one.
        options: Options of the audit.
    """

    prober: Prober
    pieces: Pieces
    material: Material
    zipf: Array
    meanings: Meanings
    reader: Reader | None
    options: AuditOptions

    @property
    def rows(self) -> int:
        """Rows of the model's embedding."""
        return embedding_rows(self.prober.classifier)


def embedding_rows(classifier: Any) -> int:
    """Rows of a Hugging Face classifier's embedding."""
    return len(classifier.model.get_input_embeddings().weight)

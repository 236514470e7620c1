"""Is a model backdoored? An exhaustive sweep over its vocabulary, growth to longer triggers, and a verdict.

Nothing here knows the attacks: what is found is found from the model and clean texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.policy import Policy, read_policy
from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.auditing.encoders.inspection import audit_encoder
    from fuzzsmooth.auditing.inspection import audit_classifier
    from fuzzsmooth.auditing.writers.inspection import audit_writer

__all__ = ["AuditOptions", "Policy", "audit_classifier", "audit_encoder", "audit_writer", "read_policy"]

__getattr__ = lazy_names(
    __name__,
    {
        "audit_classifier": "inspection",
        "audit_encoder": "encoders.inspection",
        "audit_writer": "writers.inspection",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)

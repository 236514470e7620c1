"""An audit in forms that others read: SARIF, a bill of materials, a model card; from its JSON values."""

from fuzzsmooth.auditing.evidence.bom import bom
from fuzzsmooth.auditing.evidence.card import card
from fuzzsmooth.auditing.evidence.sarif import sarif

__all__ = ["bom", "card", "sarif"]

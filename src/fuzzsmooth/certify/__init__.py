"""Certificates: from vote counts or exact probabilities to what may be claimed. NumPy and SciPy only.

The two functions to start with, for votes from any randomized deletion of your own::

    p_lower = clopper_pearson_lower(990, 1000, alpha=1e-3)   # lower bound on P[top class]
    radius(p_lower, 0.9, threat="insert")                    # that many insertions change nothing

``radius(p_lower, rate, threat=..., p_upper=None)`` gives the largest number of operations that cannot change
the top class, or -1 where not even the label is certain.

``confidence`` goes from votes to bounds on probabilities, ``theorems`` from these to radii, knowing no votes.
``certificate`` is what is claimed, in the words of ``threats``. SciPy is imported where a bound is
computed, so that certificates are read without it.
"""

from fuzzsmooth.certify.certificate import Certificate
from fuzzsmooth.certify.confidence.anytime import EARLY_SHARE, SequentialTest, radius_levels
from fuzzsmooth.certify.confidence.clopper_pearson import (
    Majority,
    clopper_pearson_interval,
    clopper_pearson_lower,
    clopper_pearson_upper,
    vote_error,
)
from fuzzsmooth.certify.confidence.group_sequential import LAST_SHARE, LookedTest, RivalsTest
from fuzzsmooth.certify.confidence.selection import (
    Rivals,
    Strata,
    TopClassBound,
    bound_top_class,
    choose_rivals,
    rival_bounds,
    selection_draws,
    top_class,
)
from fuzzsmooth.certify.confidence.stratified import (
    MOST_MASS,
    low_masks,
    mask_probability,
    plan_strata,
    sample_high_masks,
    stratum_mass,
)
from fuzzsmooth.certify.dataset import DatasetStatement, DatasetTally
from fuzzsmooth.certify.rates import RATE_BITS, exact_rate, rate_numerator
from fuzzsmooth.certify.rounding import Rounding, ceiled, floored
from fuzzsmooth.certify.theorems.edit import (
    NOT_CERTIFIED,
    UNBOUNDED,
    backward_radius,
    certified,
    complement_upper,
    forward_radius,
    frontier,
    radius,
)
from fuzzsmooth.certify.theorems.exact import (
    MOST_UNITS,
    ExactProbabilities,
    exact_frontier,
    exact_probabilities,
    exact_radius,
)
from fuzzsmooth.certify.theorems.frs import CONDITION, MASKED_CONDITION, conditional_radius
from fuzzsmooth.certify.theorems.length_rates import (
    LengthRates,
    length_frontier,
    length_lower_bound,
    length_radius,
)
from fuzzsmooth.certify.theorems.oracle import (
    UNDECIDED,
    BudgetExceededError,
    MaskOracle,
    Procedure,
    Steps,
)
from fuzzsmooth.certify.theorems.typed_rates import RateTable, insertion_budget, removal_budget
from fuzzsmooth.certify.theorems.weights import (
    WEIGHT_CONDITION,
    check_fresh_draws,
    joint_lower_bound,
    joint_radius,
    weight_lower_bound,
    weight_radius,
)
from fuzzsmooth.certify.theorems.windows import (
    Ablation,
    AblationCertificate,
    Family,
    certify_contiguous_edit,
    certify_contiguous_insertion,
    certify_contiguous_replacement,
    certify_scattered,
    contiguous,
    contiguous_up_to,
    detect,
    most_passes,
    scattered,
    two_round_ablation,
)
from fuzzsmooth.certify.threats import (
    AWAITED,
    BACKWARD,
    MEANINGS,
    THREATS,
    Direction,
    Threat,
    ThreatKind,
    ThreatName,
    backward_name,
)

__all__ = [
    "AWAITED",
    "BACKWARD",
    "CONDITION",
    "EARLY_SHARE",
    "LAST_SHARE",
    "MASKED_CONDITION",
    "MEANINGS",
    "MOST_MASS",
    "MOST_UNITS",
    "NOT_CERTIFIED",
    "RATE_BITS",
    "THREATS",
    "UNBOUNDED",
    "UNDECIDED",
    "WEIGHT_CONDITION",
    "Ablation",
    "AblationCertificate",
    "BudgetExceededError",
    "Certificate",
    "DatasetStatement",
    "DatasetTally",
    "Direction",
    "ExactProbabilities",
    "Family",
    "LengthRates",
    "LookedTest",
    "Majority",
    "MaskOracle",
    "Procedure",
    "RateTable",
    "Rivals",
    "RivalsTest",
    "Rounding",
    "SequentialTest",
    "Steps",
    "Strata",
    "Threat",
    "ThreatKind",
    "ThreatName",
    "TopClassBound",
    "backward_name",
    "backward_radius",
    "bound_top_class",
    "ceiled",
    "certified",
    "certify_contiguous_edit",
    "certify_contiguous_insertion",
    "certify_contiguous_replacement",
    "certify_scattered",
    "check_fresh_draws",
    "choose_rivals",
    "clopper_pearson_interval",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "complement_upper",
    "conditional_radius",
    "contiguous",
    "contiguous_up_to",
    "detect",
    "exact_frontier",
    "exact_probabilities",
    "exact_radius",
    "exact_rate",
    "floored",
    "forward_radius",
    "frontier",
    "insertion_budget",
    "joint_lower_bound",
    "joint_radius",
    "length_frontier",
    "length_lower_bound",
    "length_radius",
    "low_masks",
    "mask_probability",
    "most_passes",
    "plan_strata",
    "radius",
    "radius_levels",
    "rate_numerator",
    "removal_budget",
    "rival_bounds",
    "sample_high_masks",
    "scattered",
    "selection_draws",
    "stratum_mass",
    "top_class",
    "two_round_ablation",
    "vote_error",
    "weight_lower_bound",
    "weight_radius",
]

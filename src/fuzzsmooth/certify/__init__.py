"""Certificates: from vote counts or exact probabilities to what may be claimed. NumPy and SciPy only.

The two functions to start with, for votes from any randomized deletion of your own::

    p_lower = clopper_pearson_lower(990, 1000, alpha=1e-3)   # lower bound on P[top class]
    radius(p_lower, 0.9, threat="insert")                    # that many insertions change nothing

``radius(p_lower, rate, threat=..., p_upper=None)`` gives the largest number of operations that cannot change
the top class, or -1 where not even the label is certain.
"""

from fuzzsmooth.certify.bounds import (
    clopper_pearson_interval,
    clopper_pearson_lower,
    clopper_pearson_upper,
)
from fuzzsmooth.certify.dataset import DatasetStatement, DatasetTally, dataset_statement, per_text_alpha
from fuzzsmooth.certify.deletion_sets import Family, contiguous, contiguous_up_to, scattered
from fuzzsmooth.certify.edit import (
    NOT_CERTIFIED,
    UNBOUNDED,
    Threat,
    backward_radius,
    certified,
    forward_radius,
    frontier,
    lower_bound,
    margin_bound,
    radius,
)
from fuzzsmooth.certify.exact import (
    ExactProbabilities,
    exact_frontier,
    exact_probabilities,
    exact_radius,
)
from fuzzsmooth.certify.hybrid import (
    conditional_level,
    hybrid_lower_bound,
    hybrid_probability,
    low_masks,
    mask_probability,
    plan_hybrid,
    sample_high_masks,
    stratum_mass,
)
from fuzzsmooth.certify.majority import Majority
from fuzzsmooth.certify.oracle import UNDECIDED, BudgetExceededError, MaskOracle, Procedure, Steps
from fuzzsmooth.certify.outward import ceiled, floored
from fuzzsmooth.certify.paper import (
    CONDITION,
    MASKED_CONDITION,
    conditional_radius,
    corollary_factor,
    corollary_radius,
)
from fuzzsmooth.certify.rates import RATE_BITS, exact_rate, rate_numerator
from fuzzsmooth.certify.result import Certificate, Direction, ThreatName
from fuzzsmooth.certify.rounding import Rounding
from fuzzsmooth.certify.selection import (
    Rivals,
    TopClassBound,
    bound_hybrid_top_class,
    bound_top_class,
    selection_draws,
)
from fuzzsmooth.certify.sequential import (
    EARLY_SHARE,
    SequentialTest,
    group_sequential_lower,
    log_e_value,
    merged_levels,
    radius_levels,
)
from fuzzsmooth.certify.vote import vote_error
from fuzzsmooth.certify.weighted import RateTable, insertion_budget, removal_budget
from fuzzsmooth.certify.weights import (
    WEIGHT_CONDITION,
    check_fresh_draws,
    joint_lower_bound,
    joint_radius,
    weight_lower_bound,
    weight_radius,
)
from fuzzsmooth.certify.windows import (
    Ablation,
    AblationCertificate,
    certify_block,
    certify_contiguous_edit,
    certify_contiguous_insertion,
    certify_contiguous_replacement,
    certify_scattered,
    detect,
    most_passes,
    two_round_ablation,
)

__all__ = [
    "CONDITION",
    "EARLY_SHARE",
    "MASKED_CONDITION",
    "NOT_CERTIFIED",
    "RATE_BITS",
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
    "Majority",
    "MaskOracle",
    "Procedure",
    "RateTable",
    "Rivals",
    "Rounding",
    "SequentialTest",
    "Steps",
    "Threat",
    "ThreatName",
    "TopClassBound",
    "backward_radius",
    "bound_hybrid_top_class",
    "bound_top_class",
    "ceiled",
    "certified",
    "certify_block",
    "certify_contiguous_edit",
    "certify_contiguous_insertion",
    "certify_contiguous_replacement",
    "certify_scattered",
    "check_fresh_draws",
    "clopper_pearson_interval",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "conditional_level",
    "conditional_radius",
    "contiguous",
    "contiguous_up_to",
    "corollary_factor",
    "corollary_radius",
    "dataset_statement",
    "detect",
    "exact_frontier",
    "exact_probabilities",
    "exact_radius",
    "exact_rate",
    "floored",
    "forward_radius",
    "frontier",
    "group_sequential_lower",
    "hybrid_lower_bound",
    "hybrid_probability",
    "insertion_budget",
    "joint_lower_bound",
    "joint_radius",
    "log_e_value",
    "low_masks",
    "lower_bound",
    "margin_bound",
    "mask_probability",
    "merged_levels",
    "most_passes",
    "per_text_alpha",
    "plan_hybrid",
    "radius",
    "radius_levels",
    "rate_numerator",
    "removal_budget",
    "sample_high_masks",
    "scattered",
    "selection_draws",
    "stratum_mass",
    "two_round_ablation",
    "vote_error",
    "weight_lower_bound",
    "weight_radius",
]

"""Certificates: from vote counts or exact probabilities to what may be claimed. NumPy and SciPy only."""

from fuzzsmooth.certify.bounds import (
    TopClassBound,
    bound_top_class,
    clopper_pearson_interval,
    clopper_pearson_lower,
    clopper_pearson_upper,
    selection_draws,
)
from fuzzsmooth.certify.edit import (
    NOT_CERTIFIED,
    UNBOUNDED,
    Threat,
    backward_radius,
    certified,
    forward_radius,
    lower_bound,
    margin_bound,
    radius,
)
from fuzzsmooth.certify.exact import (
    ExactProbabilities,
    exact_probabilities,
    exact_radius,
    hybrid_lower_bound,
    low_masks,
    mask_probability,
    plan_hybrid,
    sample_high_masks,
    stratum_mass,
)
from fuzzsmooth.certify.oracle import BudgetExceededError, MaskOracle
from fuzzsmooth.certify.paper import CONDITION, conditional_radius, corollary_factor, corollary_radius
from fuzzsmooth.certify.rates import RATE_BITS, exact_rate, rate_numerator
from fuzzsmooth.certify.result import Certificate
from fuzzsmooth.certify.sequential import SequentialTest, group_sequential_lower, log_e_value, radius_levels
from fuzzsmooth.certify.weighted import RateTable, insertion_budget

__all__ = [
    "CONDITION",
    "NOT_CERTIFIED",
    "RATE_BITS",
    "UNBOUNDED",
    "BudgetExceededError",
    "Certificate",
    "ExactProbabilities",
    "MaskOracle",
    "RateTable",
    "SequentialTest",
    "Threat",
    "TopClassBound",
    "backward_radius",
    "bound_top_class",
    "certified",
    "clopper_pearson_interval",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "conditional_radius",
    "corollary_factor",
    "corollary_radius",
    "exact_probabilities",
    "exact_radius",
    "exact_rate",
    "forward_radius",
    "group_sequential_lower",
    "hybrid_lower_bound",
    "insertion_budget",
    "log_e_value",
    "low_masks",
    "lower_bound",
    "margin_bound",
    "mask_probability",
    "plan_hybrid",
    "radius",
    "radius_levels",
    "rate_numerator",
    "sample_high_masks",
    "selection_draws",
    "stratum_mass",
]

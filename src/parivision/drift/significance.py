"""Probabilities of the test statistics under "nothing moved"; for tables, never for a verdict."""

import numpy as np
from scipy.special import chdtrc, erfc, kolmogorov


def normal_two_sided(z: float) -> float:
    """How often a standard normal value lies as far out as z, on either side."""
    return float(erfc(abs(z) / np.sqrt(2)))


def normal_upper(z: float) -> float:
    """How often a standard normal value is above z."""
    return float(erfc(z / np.sqrt(2)) / 2)


def chi_square_upper(statistic: float, freedom: int) -> float:
    """How often a chi-square value with so many degrees of freedom (at least 1) is above."""
    return float(chdtrc(max(freedom, 1), statistic))


def kolmogorov_smirnov(gap: float, n_effective: float) -> float:
    """How often two samples of one population show so large a gap of their distributions."""
    return float(kolmogorov(np.sqrt(n_effective) * gap))

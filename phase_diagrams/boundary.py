"""The 50 % boundary of a recovery map: one threshold per value of the other axis, with its band."""

from __future__ import annotations

from phase_diagrams.threshold import (
    ThresholdFit,
    ThresholdStatus,
    binomial_interval,
    fit_threshold,
    fit_threshold_intervals,
)

__all__ = ["ThresholdFit", "ThresholdStatus", "binomial_interval", "fit_threshold", "fit_threshold_intervals"]

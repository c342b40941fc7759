"""Certificates of identifiability: what data and answer alone say about other answers."""

from theory.families.low_rank_sparse.identifiability.certificate import (
    IdentifiabilityCertificate,
    IdentifiabilityVerdict,
    local_identifiability,
)

__all__ = ["IdentifiabilityCertificate", "IdentifiabilityVerdict", "local_identifiability"]

"""Certificates of identifiability: what data and answer alone say about other answers."""

from theory.families.low_rank_sparse.identifiability.certificate import (
    IdentifiabilityCertificate,
    IdentifiabilityVerdict,
    local_identifiability,
)
from theory.families.low_rank_sparse.identifiability.proof import IdentifiabilityProof, prove_identifiability

__all__ = [
    "IdentifiabilityCertificate",
    "IdentifiabilityProof",
    "IdentifiabilityVerdict",
    "local_identifiability",
    "prove_identifiability",
]

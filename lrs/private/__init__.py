"""AMHT-LRS with user-level differential privacy: clipping, Gaussian noise, a ledger, and the billboard between server and clients."""

from lrs.private.accounting import Ledger, Release, epsilon_of, rho_for
from lrs.private.clip import Clip, clip_of, propose_clip
from lrs.private.model import ServerModel, UsersModel
from lrs.private.noise import SecureNoise, SeededNoise
from lrs.private.server import Client, Cohort, Request, Schedule, Server, Transcript, run
from lrs.private.solver import PrivAltMin, PrivateAMHT
from lrs.private.statistics import sensitivity

__all__ = [
    "Client",
    "Clip",
    "Cohort",
    "Ledger",
    "PrivAltMin",
    "PrivateAMHT",
    "Release",
    "Request",
    "Schedule",
    "SecureNoise",
    "SeededNoise",
    "Server",
    "ServerModel",
    "Transcript",
    "UsersModel",
    "clip_of",
    "epsilon_of",
    "propose_clip",
    "rho_for",
    "run",
    "sensitivity",
]

"""What every floor stands on: errors, checks of arguments, identity, the registry of plug-ins, the machine."""

from lrs.core.errors import InvalidInput, MissingExtra, NotFinite, WrongShape
from lrs.core.identity import canonical, digest, joint_digest, key, leading_bits
from lrs.core.machine import ONE_THREAD, THREAD_VARIABLES, default_threads, one_thread, one_thread_each, processors
from lrs.core.registry import Registry
from lrs.core.validate import choice, finite, hint, integer, nearest, numbers, probability, real

__all__ = [
    "ONE_THREAD",
    "THREAD_VARIABLES",
    "InvalidInput",
    "MissingExtra",
    "NotFinite",
    "Registry",
    "WrongShape",
    "canonical",
    "choice",
    "default_threads",
    "digest",
    "finite",
    "hint",
    "integer",
    "joint_digest",
    "key",
    "leading_bits",
    "nearest",
    "numbers",
    "one_thread",
    "one_thread_each",
    "probability",
    "processors",
    "real",
]

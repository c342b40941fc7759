"""Calls of a stranger's solver in a process of its own."""

from lrs.isolation.sandbox import Isolated, Sandbox

__all__ = ["Isolated", "Sandbox"]

"""Calls of a stranger's solver in a process of its own."""

from lrs.isolation.sandbox import Isolated, Sandbox, executor_for

__all__ = ["Isolated", "Sandbox", "executor_for"]

"""What reporting reads: every fact of every owner."""

from reporting.subscriptions.facts import SUBSCRIPTION

__all__ = ["SUBSCRIPTION"]

"""The pay engine: pure functions on integer pence. Start at `payslip.calculate_payslip`."""

ENGINE_VERSION = "1.3.0"
"""Raised when the same inputs and parameters could give another penny; kept with each payslip so that a replay can tell."""

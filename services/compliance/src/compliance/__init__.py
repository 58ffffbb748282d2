"""Compliance: whether a worker may be paid and billed for a shift, on what evidence, and who decided otherwise."""

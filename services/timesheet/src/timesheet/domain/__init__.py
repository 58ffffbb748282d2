"""The rules of a working week: pure values and functions, no I/O and no clock.

Read in this order: `vocabulary`, `rates`, `rules`, `entries`, `interpret`, `explain`, `workflow`, `control_totals`.
"""

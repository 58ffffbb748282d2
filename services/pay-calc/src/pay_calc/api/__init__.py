"""The HTTP doors of pay-calc."""

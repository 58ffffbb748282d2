"""All SQL of pay-calc."""

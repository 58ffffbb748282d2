"""All SQL of reporting."""

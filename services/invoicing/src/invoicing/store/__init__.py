"""All SQL of invoicing."""

"""All SQL of timesheet."""

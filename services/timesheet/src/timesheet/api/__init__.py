"""The HTTP doors of timesheet: records, rate cards, imports, timesheets, weeks and the client's approval page."""

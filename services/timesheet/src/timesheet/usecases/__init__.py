"""What timesheet does: each function loads, decides by the domain, stores and emits, inside the caller's transaction."""

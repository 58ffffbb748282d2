"""What pay-calc does: load, decide with pure functions, store, emit. Nothing here commits."""

"""What reporting does with its read models, in a transaction that somebody else commits."""

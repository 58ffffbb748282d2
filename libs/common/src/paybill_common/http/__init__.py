"""The HTTP edge: problems, tokens, one transaction a request, idempotency, paging, limits, operator endpoints."""

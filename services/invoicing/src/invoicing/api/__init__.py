"""The HTTP API of invoicing."""

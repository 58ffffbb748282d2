"""Billing documents as PDF: models (frozen facts) and render (one function per document)."""

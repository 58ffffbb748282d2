"""What invoicing does. Keyword-only; handed a transaction; never commits."""

"""Payslips as PDF: models (frozen facts), render (one payslip) and archive (many payslips in one ZIP)."""

"""Files in: read CSV and XLSX line by line, send each line's columns to the services that own them, and write a receipt a line."""

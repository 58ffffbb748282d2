"""Files of an agency, row by row as text: every row gets a receipt, and the same row twice changes nothing."""

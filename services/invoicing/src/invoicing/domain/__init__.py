"""The rules of billing: frozen facts in, decisions and figures out. No I/O, no clock."""

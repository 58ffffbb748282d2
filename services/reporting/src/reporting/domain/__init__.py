"""What reporting decides, without I/O: the tie-out, states in words, formats, pictures, cells that are safe to open."""

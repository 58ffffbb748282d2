"""The JSON API, the token endpoint and the operations UI."""

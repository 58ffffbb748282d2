"""The operations UI: server-rendered pages, their fragments, live numbers and exports."""

"""The demo week: made-up files of a bureau with three agencies, and the run that takes them through the public doors."""

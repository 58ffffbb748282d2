"""What holds at the door of every service, whichever it is: one suite, five services."""

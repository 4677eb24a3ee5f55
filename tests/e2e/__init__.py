"""Through the front doors: HTTP, the bus, the scheduler and the command line, as a user would."""

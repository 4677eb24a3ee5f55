"""Where Leap Workflows is, as data. Source: the first API document. Not here: paths and calls."""

LEAP_URL = "https://api.workflows.tryleap.ai"

"""One module for each way to make it fail; each has `run(site, seed, size) -> Outcome`."""

"""The fault suite's checker, which has to be able to fail, and the suite itself in a short form."""

"""`python -m agentruns_cli`: the same program as the console script `agentruns`."""

from agentruns_cli.main import app

app(prog_name="agentruns")

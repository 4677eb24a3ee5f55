"""The commands, one file per resource. They parse flags, make one or two calls and print."""

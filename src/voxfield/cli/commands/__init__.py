"""One file a command: `command` parses, calls one function of a task, and prints."""

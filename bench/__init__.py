"""Boot storms over HTTP and TFTP, side by side with what a user would pick instead: `python -m bench --help`."""

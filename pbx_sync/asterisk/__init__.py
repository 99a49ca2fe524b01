"""Asterisk: the bundled one (installed, configured and run here) or a remote one, kept as it should be over AMI."""

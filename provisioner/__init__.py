"""Zero-touch provisioning server for IP phones."""

__version__ = "0.1.0"

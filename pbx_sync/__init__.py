"""Keeps a PBX as it should be: read, diff, guard, apply, read back. Knows nothing of phones, files or the provisioner."""

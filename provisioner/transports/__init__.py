"""Wires: decode, ask ``serve``, encode, record. No vendor, no rule of who gets what."""

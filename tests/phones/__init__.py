"""Simulated IP phones for tests and bench: a small SIP user agent, and on top of it phones that boot as each vendor's firmware does.

They share no code with the product: what they understand of a file, a challenge or a dialog is written down here once more, so that a
mistake of the product is not understood by its own mistake.
"""

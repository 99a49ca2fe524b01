"""Pure values and functions: no Flask, no SQLAlchemy, no sockets, no clock, no file reads."""

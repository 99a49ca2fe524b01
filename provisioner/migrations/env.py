"""Alembic's entry: migrates the connection that ``provisioner.migrate`` hands over."""

from alembic import context

from provisioner.models import metadata

connection = context.config.attributes["connection"]
# SQLite cannot alter most of a table in place: batch mode copies it.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()

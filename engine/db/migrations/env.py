"""Alembic's entry: runs the steps on the connection that `upgrade` hands over."""

from alembic import context

from engine.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()

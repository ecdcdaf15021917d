"""Alembic's entry: runs the steps on the connection that it gets, or writes their SQL.

`built`: whether the steps' indexes are built already.
"""

from alembic import context

from engine.db.tables import metadata

given = context.config.attributes
if context.is_offline_mode():
    way = {"dialect_name": given["dialect"], "literal_binds": True, "transactional_ddl": False}
else:
    way = {"connection": given["connection"], "render_as_batch": False}
context.configure(**way, target_metadata=metadata, built=given.get("built", False))
with context.begin_transaction():
    context.run_migrations()

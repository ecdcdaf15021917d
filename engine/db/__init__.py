"""The database: statements for both kinds, tables, migrations, writing in groups."""

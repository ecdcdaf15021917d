"""Drills: what happens when something is lost, tried on purpose, with a report.

backup.py       a backup, its restore elsewhere, and what differs
census.py       what is in a database: rows, numbers, indexes
copying.py      how a database is copied, whichever kind it is
sqlite.py       SQLite's online backup
postgresql.py   pg_dump and pg_restore
serving.py      `web` on the restored copy
kill.py         a process is killed while orders come in
site.py         the installation whose processes may be killed
load.py         orders and events for nobody
counting.py     what was sent, compared with what was ordered
"""

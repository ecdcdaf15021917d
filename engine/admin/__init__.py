"""What operators see and do. The console, the command line and /metrics read these same queries.

resources.py  what there is a list of, and what each list can be narrowed by
narrowing.py  from values to a list's conditions and order
filters.py    from query strings to values
rows.py       rows as operators see them
lists.py      pages of a list, bounded in time at any size
details.py    one of them, with all that happened to it
standing.py   where an open row stands: in flight, paused, due, later
reasons.py    why a row stands there
lanes.py      the lanes in numbers
overview.py   all on one page: the lanes, the processes, the plots, and a sentence
refusals.py   e-mails that wait because the relay refuses Varsel
exposition.py what /metrics shows of the database and Redis
amounts.py    numbers of things in words
searching.py  where that is which was typed into the search box
actions.py    what can be done to one, or to all that match
obstacles.py  why an action does not apply to a row
questions.py  what is asked before, where it cannot be undone
changes.py    what actions do to rows
jobs.py       doing it to all that match, in the background
job_lane.py   the lane of these jobs
pausing.py    pausing lanes, creators, domains and subscriptions, and resuming them
leaving.py    what is sent when a pause ends
backups.py    backups of an SQLite database
"""

"""What operators see and do. The console, the command line and /metrics read these same queries.

nouns.py      what there is a list of, and what each list can be narrowed to
filters.py    from query strings to conditions
lists.py      pages of a list, bounded in time at any size
details.py    one of them, with all that happened to it
overview.py   the lanes, the processes, the plots, and a sentence
actions.py    what can be done to one, or to all that match
jobs.py       doing it to all that match, in the background
"""

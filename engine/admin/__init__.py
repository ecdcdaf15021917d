"""What operators see and do. The console, the command line and /metrics read these same queries.

resources.py  the kinds of rows that have a list, each with its filters
narrowed.py   a list's conditions and order
narrowing.py  from values to a list's conditions and order
mailings.py   the same for orders and e-mails
lookups.py    rows by scraps of what names them, each by an index
filters.py    from query strings to values
queries.py    what is typed into a list's search field
lists.py      pages of a list, bounded in time at any size
cursors.py    where a page begins, as text
exports.py    lists as files
rows.py       rows as they are shown
row_statements.py  what reads them, built once
masking.py    what viewers do not see of them
belonging.py  which rows belong to an order or a job
details.py    one row, with all that happened to it
deeds.py      who did what to a row
results.py    what became of the e-mails of orders, in numbers
causes.py     why e-mails failed, in groups
status_events.py  events that tell of an order or an e-mail
stories.py    what happened to an e-mail, step by step
words.py      what people read instead of the contract's words
reasons.py    why it waits or failed
slowness.py   where e-mails go slowly, in words
relays.py     the relays: whether they can be used, and what became of e-mails lately
effects.py    what becomes of their e-mails, in the language of the reader
failures.py   what e-mails failed with, grouped by reply
aftermath.py  what has become of these e-mails since
unusual.py    whether more e-mails fail than is usual
finding.py    something that is wrong, as people are told of it
findings.py   what is wrong, in sentences
advice.py     what to do about it
standing.py   where an open row stands: in flight, paused, due, later
soonest.py    the rows that come next, with where they stand
near.py       which of them are in flight, tried before, or due before their time
open_deliveries.py  deliveries by where they stand
lanes.py      the lanes in numbers
kept.py       what the clock looks at for everybody
counts.py     how many rows a lane has in each place, however many
turns.py      whose turn it is: what each creator has ready
rates.py      what was done in an hour, a day, a week or a month
processes.py  the processes that live, and which schedulers keep the clock
overview.py   everything on one page: lanes, relays, failures, processes, plots, and what is wrong
quotas.py     what creators have used of their quotas
api_keys.py   API keys: made, replaced, revoked
senders.py    sender identities: made, removed
recurring.py  recurring orders: paused, resumed, deleted
subscriptions.py  how a subscription goes, and a test of it
persons/      what is known of an address, and its removal
refusals.py   e-mails that wait because the relay refuses this installation
exposition.py what /metrics shows of the database and Redis
watching.py   relays, pauses and subscriptions, as alerts watch them
amounts.py    numbers of things in words
verbs.py      what a number of rows does, in words
naming.py     the row that somebody means by an id, its beginning, or a name
searching.py  what the search box finds
tries.py      what comes nearest, where nothing is found
found.py      rows as the search box shows them
actions.py    what can be done to one row, or to all that match
offers.py     which actions a list offers
copies.py     new orders that say what one said
obstacles.py  why an action does not apply to a row
repeats.py    what is asked before something is sent a second time
questions.py  what is asked before an action that cannot be undone
changes.py    what actions do to rows
locks.py      what they lock before the rows that they change
jobs.py       an action on all that match, in batches
job_lane.py   jobs as due work
stopping.py   what has not left of an order that is being sent, taken back
pausing.py    pauses: how they begin and end
paused.py     what is paused, in sentences
ends.py       when a pause ends by itself
holding.py    what a pause would stop
reach.py      what pauses reach, as conditions
sentences.py  what was done, in words
templates.py  templates of all creators, and tests of them
leaving.py    what goes out when a pause ends
backups.py    backups of an SQLite database
"""

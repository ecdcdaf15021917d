"""Pushing events to subscribers.

schedule   when the next attempt comes, and when a failing subscriber is left alone
queue      what the database knows: whose turn it is, what is due, what became of it
call       one attempt: the request, and what its answer means
mail_sink  an event that becomes an e-mail order
pusher     the loop of a worker process
"""

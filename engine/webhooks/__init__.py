"""Pushing events to subscribers.

schedule   when the next attempt comes, and when a failing subscriber is left alone
queue      what the database knows: whose turn it is, what is due, what became of it
call       one attempt: the request, and what its answer means
mail_sink  an event that becomes an e-mail order
pusher     the lane: claims subscriptions, and calls them side by side
backlog    what a worker keeps of one subscription
window     how many calls to it run at once, and its circuit
rendering  templates of e-mails
"""

"""Pushing events to subscribers.

schedule    when the next attempt is made, and how long a circuit is open
deliveries  what waits: whose turn it is, what is due
outcomes    what became of deliveries, and how subscriptions are released
call        one attempt: the request, and what its answer means
mail_sink   an event that becomes an e-mail order
pusher      the lane: claims subscriptions and calls their endpoints side by side
backlog     a claimed subscription: its deliveries and calls
window      how many calls to it run at once, and its circuit
"""

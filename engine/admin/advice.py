"""What to do about what is wrong, in sentences that finding.py translates: by commands, and in the console."""

from __future__ import annotations

from engine.text.language import N_

LOOK = N_("`varsel top` shows the lanes and the processes.")
REFUSED = N_("Correct what the relay complains of; `varsel emails list --error refused` shows the e-mails.")
CLOCK = N_("Start `varsel scheduler` (or `varsel up`).")
LIMITED = N_(
    "Change the file that VARSEL_LIMITS_FILE names, if that is too little; `varsel emails list` shows what waits."
)
SLOW = N_("They go faster by themselves when they are taken; `varsel emails list` shows what waits.")
BY_ITSELF = N_(
    "E-mails go on by themselves, within seconds, when it is back; `varsel emails list --state due` shows them."
)
GROUPS = N_("`varsel failures` groups them by reply. When the cause is removed, the e-mails of a group can be retried.")
PAUSES = N_("`varsel pauses` lists what is paused and why; `varsel resume` ends a pause, and asks first.")
STOPPED = N_("`varsel subscriptions list --state paused` shows why; `varsel subscriptions resume` pushes what waits.")
FAILING = N_(
    "`varsel subscriptions list --state backing_off` shows what they answered and how many webhooks wait; these are"
    " pushed by themselves when the endpoint answers."
)
RESTORED = N_("`varsel restored` lists what would be done again; `varsel restored --resume` resumes the lanes.")
LACKING = N_("Tell those who order; with synchronous replication, the server that takes over has everything.")

# The same on the console's overview, which shows beside it what a command would.
IN_CONSOLE = {
    LOOK: N_("The lanes and the processes are below."),
    REFUSED: N_("Correct what the relay complains of."),
    BY_ITSELF: N_("E-mails go on by themselves, within seconds, when it is back."),
    GROUPS: N_("They are grouped by reply below. When the cause is removed, a group can be retried there."),
    RESTORED: N_("What would be done again is listed under “Paused”, where the lanes can be resumed."),
}

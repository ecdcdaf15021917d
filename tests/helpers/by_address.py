"""A script for ScriptedSMTP that treats addresses differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.smtp import Action, Phase, Step


class ByAddress:
    """What to do in which phase of the mails to an address: rcpt, data or dot, where the address is known.

    `otherwise`: what to do in a phase of all other mails.
    """

    def __init__(
        self, plan: Mapping[str, tuple[Phase, Action]], otherwise: Mapping[Phase, Action] | None = None
    ) -> None:
        self._plan = plan
        self._otherwise = otherwise or {}
        self._address: dict[int, str] = {}  # of a session's current mail

    def __call__(self, step: Step) -> Action | None:
        if step.phase == "mail":
            self._address.pop(step.session, None)
        if step.phase == "rcpt":
            self._address[step.session] = step.argument[len("TO:<") :].partition(">")[0]
        phase, action = self._plan.get(self._address.get(step.session, ""), (None, None))
        return action if phase == step.phase else self._otherwise.get(step.phase)

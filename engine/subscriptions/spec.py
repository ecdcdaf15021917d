"""A parsed subscription that keeps the rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSpec:
    """A subscription that keeps the rules; whether the caller may have it is checked elsewhere."""

    endpoint: str  # normalised, like source_filter
    source_filter: str | None
    source_prefix: str | None
    resource_filter: str  # in lower case, like every URN of the contract
    subject_filter: str | None
    alternative_subject_filter: str | None  # organisations as /organisation/N
    types: tuple[str, ...]  # whole types, and beginnings that end in .*; empty: any
    type_as_given: str | tuple[str, ...] | None
    include_subunits: bool
    ordered: bool
    template: str | None
    is_app: bool

    @property
    def source_start(self) -> str | None:
        """What a matching event's source, followed by a slash, begins with; None: anything."""
        return self.source_prefix if self.source_filter is None else self.source_filter.removesuffix("/") + "/"

    def fingerprint(self, identity: str) -> str:
        """SHA-256 (hex): equal subscriptions have the same (events contract 3.6, step 8), in any order of types."""
        parts = (
            identity,
            self.endpoint,
            self.source_filter,
            self.source_prefix,
            self.resource_filter,
            self.subject_filter,
            self.alternative_subject_filter,
            sorted(self.types),
            self.include_subunits,
            self.ordered,
            self.template,
        )
        return sha256(json.dumps(parts).encode()).hexdigest()

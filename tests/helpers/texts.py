"""Texts of everything that may stand in them, from every plane of Unicode; lone surrogates are none (RFC 8259, 8.2)."""

from __future__ import annotations

from hypothesis import strategies as st

LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60).filter(str.strip)
NOT_IN_A_BODY = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 127)))
BODY = st.text(st.characters(codec="utf-8", exclude_characters=NOT_IN_A_BODY), min_size=1).filter(str.strip)

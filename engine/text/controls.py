"""Characters that text must not have. The sets are written as they stand between the brackets of a pattern."""

from __future__ import annotations

import re

CONTROLS = "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1 with NEL
LINE_CONTROLS = f"{CONTROLS}\u2028\u2029"  # and LS, PS: with these, all that anybody takes for a line end
BODY_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f"  # C0 without tab and line ends, DEL
SURROGATES = "\ud800-\udfff"  # lone ones: JSON can hold them, no database can

NOT_IN_A_LINE = re.compile(f"[{LINE_CONTROLS}]")
NOT_IN_A_BODY = re.compile(f"[{BODY_CONTROLS}]")

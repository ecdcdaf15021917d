"""Every error has its status."""

from api.problems import _REFERENCES, STATUS, TITLES
from engine.errors import VarselError


def leaves(kind: type[VarselError]) -> set[type[VarselError]]:
    return {kind}.union(*(leaves(child) for child in kind.__subclasses__()))


def test_every_error_of_the_engine_has_a_status_and_every_status_a_title() -> None:
    engine = {kind for kind in leaves(VarselError) - {VarselError} if kind.__module__ == "engine.errors"}
    assert engine == set(STATUS)
    assert set(STATUS.values()) - {401} <= set(TITLES) == set(_REFERENCES)  # 401 has no body

"""The command line as such: help, completion, how commands end, operators."""

from __future__ import annotations

import inspect
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
import typer

from engine.auth.operators import Operators, Role
from engine.cli import app, exits, operators
from engine.errors import Conflict, VarselError
from tests.helpers.command import command, environment, process, varsel
from tests.helpers.processes import start
from tests.helpers.terminal import Terminal
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
NOWHERE = "http://127.0.0.1:1"
DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name, found in typer.main.get_group(app).commands.items():
        inner = getattr(found, "commands", None)
        yield from ((name, each) for each in inner) if inner else [(name,)]


# Help and completion


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_every_command_explains_itself_and_is_in_the_document(words: tuple[str, ...]) -> None:
    shown = varsel(*words, "--help")
    assert shown.exit_code == 0
    assert f"varsel {' '.join(words)}" in shown.output
    assert f"`varsel {' '.join(words)}" in DOCUMENT.read_text()


def test_help_shows_every_command_in_its_section_on_a_narrow_terminal() -> None:
    shown = varsel("--help").output
    for name in {words[0] for words in commands()}:
        assert f"\n  {name} " in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert process("--help").stdout == shown


def test_what_a_command_does_is_said_in_a_line_that_is_not_cut() -> None:
    for group in ([], *sorted({(words[0],) for words in commands() if len(words) > 1})):
        shown = varsel(*group, "--help").output
        assert not [line for line in shown.splitlines() if line.endswith("...") and "Usage:" not in line], group


def test_every_exit_code_is_in_the_help_and_in_the_document() -> None:
    codes = {0} | {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert codes == {0, 1, 2, 3, 4, 5, 130, 143}
    shown = " ".join(varsel("--help").output.split())
    assert "0 fine, 1 failed, 2 wrong usage, 3 not found, 4 not ready, 5 refused, 130 interrupted, 143 ended" in shown
    text = DOCUMENT.read_text()
    assert all(f"| {code} |" in text for code in codes)


def test_the_version_is_printed() -> None:
    assert varsel("--version").output.startswith("varsel, version 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_gets_its_script(shell: str) -> None:
    shown = subprocess.run(
        command(),
        env=environment() | {"_VARSEL_COMPLETE": f"source_{shell}"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "_VARSEL_COMPLETE=complete_" + shell in shown.stdout


def completed(line: str) -> list[str]:
    """What bash offers after the line, by running the script."""
    words = line.split(" ")
    script = subprocess.run(
        command(), env=environment() | {"_VARSEL_COMPLETE": "source_bash"}, check=True, capture_output=True, text=True
    ).stdout
    program = f"""{script}
COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
_varsel_completion {Path(sys.executable).parent / "varsel"}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", program], env=environment(), check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_bash_completes_commands_options_and_states() -> None:
    assert completed("varsel or") == ["orders"]
    assert completed("varsel orders re") == ["retry", "reschedule"]
    assert "--recipient" in completed("varsel emails list --re")
    assert completed("varsel emails list --state Failed_B") == ["Failed_Bounced"]
    assert completed("varsel dead list em") == ["emails"]


def test_zsh_is_told_what_a_command_does() -> None:
    asked = {"_VARSEL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "varsel or"}
    shown = subprocess.run(command(), env=environment() | asked, check=True, capture_output=True, text=True).stdout
    assert '"orders":"' in shown


def test_a_command_starts_without_what_others_need() -> None:
    program = (
        "import sys, engine.cli; print(*(n for n in ('rich', 'sqlalchemy', 'pydantic_settings', 'redis', 'uvicorn')\
 if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"


# How commands end


def test_errors_without_a_code_of_their_own_end_with_1() -> None:
    for kind in VarselError.__subclasses__():
        needed = len(inspect.signature(kind.__init__).parameters) - 1
        error = kind({"x": ["y"]}) if kind.__name__ == "Invalid" else kind(*["x"] * min(1, needed))
        with pytest.raises(SystemExit) as ended:
            exits.end(error)
        expected = {"Invalid": 2, "NotFound": 3, "Conflict": 5, "BadRequest": 5}.get(kind.__name__, 1)
        assert ended.value.code == expected


def test_an_error_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        exits.end(Conflict("a\x1b[2Jb\u202ec\nd"))
    assert capsys.readouterr().err == "Error: a\\x1b[2Jb\\u202ec\\nd\n"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["orders", "show"], 2, "ID"),
        (["deliveries", "show", "x"], 2, "NUMBER"),
        (["orderz"], 2, "Did you mean"),
        (["token"], 2, "name the organisation"),
        (["token", "--platform"], 2, "--issuer"),
        (["token", "--org", "ttd", "--hours", "nan"], 2, "VARSEL_MAX_TOKEN_LIFETIME"),
        (["token", "--org", "ttd", "--hours", "inf"], 2, "VARSEL_MAX_TOKEN_LIFETIME"),
        (["token", "--org", "ttd", "--hours", "1e13"], 2, "VARSEL_MAX_TOKEN_LIFETIME"),
        (["pause", "planet", "x", "--reason", "x"], 2, "lane"),
        (["operator", "list"], 1, "VARSEL_OPERATORS_FILE"),
        (["wait-ready", "--url", "nonsense"], 2, "nonsense"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told(words: list[str], code: int, told: str, tmp_path: Path) -> None:
    ended = varsel(*words, data=str(tmp_path))
    assert ended.exit_code == code
    assert told in ended.stderr


def test_a_folder_or_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        ended = varsel("lanes", "--data", place)
        assert ended.exit_code == 1
        assert str(place) in ended.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("words", [("up",), ("token", "--org", "ttd")], ids=lambda words: words[0])
def test_a_data_folder_that_cannot_be_made_is_told(words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ended = varsel(*words, "--data", file / "data")
    assert (ended.exit_code, ended.stderr) == (1, f"Error: {file / 'data'}: Not a directory\n")


def test_a_database_that_does_not_answer_is_told_in_one_line() -> None:
    ended = process("lanes", database_url="postgresql://varsel@127.0.0.1:1/varsel")
    assert ended.returncode == 1
    assert ended.stderr == (
        "Error: the database does not answer (Connection refused)."
        " Start it, or correct HOST and PORT in VARSEL_DATABASE_URL.\n"
    )


def test_a_schema_that_is_not_current_is_told(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    ended = varsel("orders", "list", database_url=empty_url)
    assert ended.exit_code == 1
    assert "varsel migrate" in ended.stderr


@pytest.mark.parametrize("words", [["config"], ["--help"]], ids=["config", "help"])
def test_whoever_reads_only_the_first_lines_leaves_no_trace(words: list[str]) -> None:
    with start(
        command(*words), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        running.stdout.close()
        assert running.stderr
        assert running.stderr.read() == ""
        assert running.wait(patience()) in (0, 1)


def test_ctrl_c_ends_with_130_and_no_trace() -> None:
    with Terminal(command("wait-ready", "--url", NOWHERE), environment()) as terminal:
        terminal.wait_for("waiting:")
        terminal.interrupt()
        assert terminal.end() == 130
    assert "Traceback" not in terminal.output


# Waiting


def test_wait_ready_ends_with_4_and_the_reason_when_nobody_answers() -> None:
    ended = varsel("wait-ready", "--timeout", "0.5", "--url", NOWHERE)
    assert ended.exit_code == 4
    assert "not ready within 0.5 s" in ended.stderr
    assert "refused" in ended.stderr


# Operators


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "operators.toml"


def test_the_roles_are_those_of_the_console() -> None:
    assert get_args(operators.Role) == tuple(Role)


def test_an_operator_is_added_listed_and_removed(file: Path) -> None:
    added = varsel("operator", "add", "anna", "--role", "admin", given=f"{PASSWORD}\n", operators_file=str(file))
    assert (added.exit_code, added.output) == (0, "anna is an admin\n")
    assert varsel("operator", "add", "bo", "--role", "viewer", "--file", file, given=PASSWORD).exit_code == 0
    found = Operators(file).verify("anna", PASSWORD)
    assert found
    assert found.role is Role.ADMIN
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert varsel("operator", "list", "--file", file).output == "anna  admin\nbo    viewer\n"
    listed = json.loads(varsel("operator", "list", "--json", "--file", file).output)
    assert listed == {"items": [{"name": "anna", "role": "admin"}, {"name": "bo", "role": "viewer"}], "next": None}

    assert varsel("operator", "remove", "anna", "--file", file).exit_code == 0
    assert Operators(file).find("anna") is None
    assert Operators(file).verify("bo", PASSWORD)
    assert varsel("operator", "remove", "anna", "--file", file).exit_code == 3


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [("Anna!", PASSWORD, "name:"), ("anna", "short", "password:"), ("anna", "", "password:")],
)
def test_an_operator_that_cannot_be_is_refused(name: str, password: str, told: str, file: Path) -> None:
    ended = varsel("operator", "add", name, "--role", "viewer", "--file", file, given=password)
    assert ended.exit_code == 2
    assert told in ended.stderr
    assert not file.exists()


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(file: Path) -> None:
    words = ("operator", "add", "anna", "--role", "operator", "--file", file)
    with Terminal(command(*words), environment()) as terminal:
        for times, typed in enumerate([PASSWORD, "something else", PASSWORD, PASSWORD], 1):
            terminal.wait_for(": ", times + (times > 2))  # one of them stands in "Error: …"
            terminal.type(f"{typed}\n")
        assert terminal.end() == 0
    assert PASSWORD not in terminal.output
    assert "anna is an operator" in terminal.output
    assert Operators(file).verify("anna", PASSWORD)


def test_a_signal_while_the_password_is_asked_for_ends_with_130(file: Path) -> None:
    with Terminal(command("operator", "add", "anna", "--role", "viewer", "--file", file), environment()) as terminal:
        terminal.wait_for("Password: ")
        terminal.type("\x03")
        terminal.interrupt()
        assert terminal.end() == 130
    assert not file.exists()


def test_a_process_of_an_installation_still_ends_on_a_signal(tmp_path: Path) -> None:
    with start(
        command("inbox", "--port", "0"), env=environment(inbox=str(tmp_path)), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline().startswith("inbox smtp://127.0.0.1:")
        os.kill(running.pid, signal.SIGINT)
        assert wait_for(lambda: running.poll() is not None)
        assert running.returncode == 0

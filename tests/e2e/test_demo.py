"""What a newcomer runs first."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_shows_the_mail_and_the_status() -> None:
    done = subprocess.run([sys.executable, "-m", "engine", "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "202 Accepted" in done.stdout
    assert "Subject: Your application has been received" in done.stdout
    assert '"succeeded": 1' in done.stdout

"""`python -m engine` is `varsel`."""

from engine.cli import main

main()

"""`python -m labkit`: the command line."""

from .cli import main

raise SystemExit(main())

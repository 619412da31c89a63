#!/usr/bin/env python
"""Django's command line for the migration console."""

from __future__ import annotations

from console.__main__ import main

if __name__ == "__main__":
    main()

"""Check of a server: `python -m tests.conformance http://127.0.0.1:8321/v1 --model antiphon/sample`."""

import sys

from tests.conformance.run import main

if __name__ == "__main__":
    sys.exit(main())

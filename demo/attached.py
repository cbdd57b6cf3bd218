"""`python -m demo.attached <command>`: one process of the demonstration, which ends with it.

It reads its standard input, which the demonstration holds open and never writes to. When that
ends, the demonstration has ended without a word (it was killed): nothing may be left that holds
the port or sends webhooks, so the process goes at once. Losing nothing then is what the service
promises anyway.
"""

import os
import sys
import threading

from app.__main__ import main


def _end_with_the_other() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    sys.exit(main())

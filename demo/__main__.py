"""`python -m demo`, which is `make run`."""

import sys

from demo.run import main

sys.exit(main())

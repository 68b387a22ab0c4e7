"""``python -m brainsim`` is the command ``brainsim``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts the working folder first, and a model may come with a numpy.py. The command does not look there.
    if not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).parent.parent:
        del sys.path[0]

    from brainsim.cli.main import main

    main()

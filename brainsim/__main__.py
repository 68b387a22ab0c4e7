"""``python -m brainsim`` is the command ``brainsim``."""

from brainsim.cli.main import main

if __name__ == "__main__":
    main()

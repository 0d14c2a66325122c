"""``python -m netwright`` is the command ``netwright``."""

import sys

if __name__ == "__main__":
    try:
        from netwright.cli import main
    except KeyboardInterrupt:
        sys.stderr.write("netwright: stopped by Ctrl-C\n")
        sys.exit(130)
    main()

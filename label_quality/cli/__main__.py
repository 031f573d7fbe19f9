"""``python -m label_quality.cli``."""

from label_quality.cli import main

if __name__ == "__main__":
    main()

"""`python -m label_quality.demo FOLDER`: render the demo into a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from label_quality.demo import make_demo


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, make the demo, say what was made; 0 when it worked, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="python -m label_quality.demo", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=120, help="number of scenes (120)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another demo (0)")
    chosen = parser.parse_args(arguments)
    try:
        demo = make_demo(chosen.folder, images=chosen.images, seed=chosen.seed)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{chosen.folder}: {chosen.images} rendered images, {demo.labels} labels,"
        f" {demo.planted_errors} planted errors ({demo.planted.name}),"
        f" {len(demo.predictions)} simulated detectors"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

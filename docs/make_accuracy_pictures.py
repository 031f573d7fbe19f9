"""Draw the first findings on the labels of COCO and of the nuclei as they are, nothing planted: docs/images/accuracy_*.jpg.

``python docs/make_accuracy_pictures.py``. It needs ``../shared`` (or ``LABEL_QUALITY_SHARED``). Label blue, suggestion orange.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    sys.path.insert(0, str(HERE.parent / "benchmarks"))
    from planted.datasets import load

    from label_quality.assets.contact_sheet import contact_sheet
    from label_quality.findings import build_findings
    from label_quality.schema import TABLES

    for name in ("coco-two", "nuclei"):
        data = load(name)
        data.con.execute(TABLES["models"].ddl())
        # Read without its images; all of them are there.
        data.con.execute("update images set file_state = 'ok'")
        build_findings(data.con)
        data.con.execute("create table findings as from new_findings")
        sheet = contact_sheet(data.con, data.files.images)
        if sheet is None:
            raise SystemExit(f"the images of {name} cannot be read")
        file = HERE / "images" / f"accuracy_{name}.jpg"
        file.write_bytes(sheet)
        print(file)


if __name__ == "__main__":
    main()

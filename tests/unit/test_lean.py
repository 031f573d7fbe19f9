from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_arrow_does_not_import_pandas_until_a_frame_is_asked_for(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from label_quality.cli.lean import arrow_without_pandas\n"
        "arrow_without_pandas()\n"
        "import pyarrow as pa\n"
        "table = pa.table({'a': pa.array([1.5, None]), 'b': pa.array(['x', 'y'])})\n"
        "assert table.to_pylist()[0] == {'a': 1.5, 'b': 'x'}\n"
        "assert 'pandas' not in sys.modules\n"
        "assert list(table.to_pandas()['b']) == ['x', 'y']\n"
        "import pandas as pd\n"
        "assert pa.array(pd.Series([1, 2])).to_pylist() == [1, 2]\n"
        "arrow_without_pandas()\n"  # too late: nothing happens
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)

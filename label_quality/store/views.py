"""The views that are published beside the tables: reads ``views.sql``. No query is written here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

_STATEMENT = re.compile(
    r"((?:^--[^\n]*\n)+)CREATE OR REPLACE VIEW (\w+) AS\n(.*?);\n", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class View:
    """One view: its name, what a row is, and its SELECT."""

    name: str
    description: str
    select: str

    def statements(self) -> list[str]:
        """The SQL that creates the view and its comment in the current catalog."""
        text = self.description.replace("'", "''")
        return [
            f"CREATE OR REPLACE VIEW {self.name} AS {self.select}",
            f"COMMENT ON VIEW {self.name} IS '{text}'",
        ]


def views() -> list[View]:
    """The views of ``views.sql``, in its order."""
    text = resources.files(__package__).joinpath("views.sql").read_text("utf-8")
    return [
        View(
            name,
            " ".join(line.removeprefix("--").strip() for line in comment.splitlines()),
            select.strip(),
        )
        for comment, name, select in _STATEMENT.findall(text)
    ]

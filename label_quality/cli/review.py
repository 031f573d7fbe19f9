"""`label-quality review`: serves the review page until Ctrl-C."""

from __future__ import annotations

import secrets
from pathlib import Path

from label_quality.cli.common import SettingsError, fail, settings_for


def run_review(root: Path | None, *, host: str, port: int, token: str | None) -> int:
    """Serve; returns the exit code."""
    import uvicorn

    from label_quality.review.app import create_app
    from label_quality.review.security import is_loopback
    from label_quality.store import published_database

    if token is not None and not token.strip():
        return fail("--token is empty: anybody would know it")
    try:
        settings = settings_for(root)
        published_database(settings.root_path)
    except (SettingsError, OSError) as error:
        return fail(str(error))
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(16)
    shown = f"[{host}]" if ":" in host else host
    print(
        f"Review page: http://{shown}:{port}/{f'?token={token}' if token else ''} "
        f"(root {settings.root}); Ctrl-C stops it",
        flush=True,
    )
    try:
        uvicorn.run(
            create_app(settings, token),
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
        )
    except SystemExit:  # uvicorn has said why: mostly that the port is taken
        return fail(f"cannot serve on {shown}:{port}; --port takes another one")
    return 0

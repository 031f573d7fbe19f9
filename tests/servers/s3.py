"""An S3 API on loopback: moto's server, as a process of its own, in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from servers.listening import free_port, wait_for

BUCKET = "label-quality"


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """The variables by which it is found, with an empty bucket in it; the test is skipped where moto or s3fs is not installed."""
    for module in ("moto", "s3fs"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    try:
        wait_for(port, process, "moto's server", 60)
        found = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in found.items():
                patch.setenv(name, value)
            import boto3
            import s3fs

            # fsspec keeps file systems by their arguments: one of an earlier server would still ask that.
            s3fs.S3FileSystem.clear_instance_cache()
            boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield found
    finally:
        process.terminate()
        process.wait()

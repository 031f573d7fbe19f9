"""Posts one JSON message to a URL. What is worth a message is decided by whoever calls."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping


def send(url: str, message: Mapping[str, object], timeout: float) -> str:
    """POST `message` as JSON, waiting `timeout` seconds for each answer; returns "", or in one sentence what went wrong.

    The sentence does not hold the URL, which often is a secret. Redirects are followed as urllib does.
    """
    try:
        request = urllib.request.Request(  # noqa: S310, the settings allow http and https only
            url, json.dumps(message).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=timeout):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (http.client.InvalidURL, ValueError):  # their words repeat parts of the URL
        return "its URL is not one"
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return f"it cannot be reached ({type(reason).__name__}: {reason})"

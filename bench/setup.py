"""Preparation of a server for a workload."""

import json
import urllib.request


def small_store(port: int) -> str:
    """Create a vector store with one small file, and return its ID."""
    text = "\n".join(f"Line {number}: the ferry leaves at {number % 24} o'clock." for number in range(40))
    boundary = "bench"
    form = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="ferries.txt"\r\n'
        f"content-type: text/plain\r\n\r\n{text}\r\n--{boundary}--\r\n"
    )
    file_id = _post(port, "/v1/files", form.encode(), f"multipart/form-data; boundary={boundary}")
    asked = json.dumps({"name": "bench", "file_ids": [file_id]}).encode()
    return _post(port, "/v1/vector_stores", asked, "application/json")


def _post(port: int, path: str, body: bytes, media_type: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=body, headers={"Content-Type": media_type}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: str = json.load(answer)["id"]
        return found

"""How many responses a second the server streams, over a backend that costs little.

    python bench/streams.py [--tokens 200] [--seconds 5] [--clients 16]

Server, backend and client share the machine. Prints a line for stored and one for not stored responses, as
streams and as JSON; the CPU is that of the server's process alone.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

HERE = Path(__file__).parent


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def one_client(port: int, body: bytes, until: float, latencies: list[float]) -> None:
    """Sends one request after another over one connection until the time is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    head = b"POST /v1/responses HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    request = head + b"content-length: %d\r\n\r\n" % len(body) + body
    while time.monotonic() < until:
        began = time.monotonic()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())
        if b"chunked" in answer:
            text = await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            text = await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
        if b'"status":"completed"' not in text:
            raise SystemExit(text[-2000:].decode())
        latencies.append(time.monotonic() - began)
    writer.close()


async def load(port: int, clients: int, seconds: float, body: bytes) -> list[float]:
    """Returns the latencies of all responses, in seconds."""
    latencies: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(one_client(port, body, until, latencies) for _ in range(clients)))
    return latencies


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Starts backend and server, loads them, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    stub_port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        stub = subprocess.Popen([sys.executable, str(HERE / "stub.py"), str(stub_port), str(options.tokens)])
        env = os.environ | {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{stub_port}/v1",
            "ANTIPHON_DISCOVER": "false",
        }
        flags = ["--port", "0", "--print-url", "--log-level", "warning", "--database", f"{folder}/bench.db"]
        command = [sys.executable, "-m", "antiphon", "serve", *flags]
        server = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().split(":")[2].split("/")[0])
            measure(port, server.pid, options)
        finally:
            server.terminate()
            server.wait()
            stub.kill()


def measure(port: int, pid: int, options: argparse.Namespace) -> None:
    """Runs the workloads one after another and prints a line for each."""
    print(f"{options.tokens} tokens, {options.clients} clients, {options.seconds:g} s each")
    for stream in ("true", "false"):
        for store in ("true", "false"):
            body = f'{{"model":"openai/stub","input":"Go.","stream":{stream},"store":{store}}}'.encode()
            uvloop.run(load(port, options.clients, 0.5, body))
            before, began = cpu_seconds(pid), time.monotonic()
            latencies = sorted(uvloop.run(load(port, options.clients, options.seconds, body)))
            seconds = time.monotonic() - began
            cpu = (cpu_seconds(pid) - before) / len(latencies)
            kind = (
                f"{'stream' if stream == 'true' else 'json'} {'stored' if store == 'true' else 'not stored'}"
            )
            p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
            print(
                f"{kind:17}  {len(latencies) / seconds:7.0f} responses/s   p50 {p50 * 1000:6.1f} ms   "
                f"p99 {p99 * 1000:6.1f} ms   CPU {cpu * 1e6:6.0f} us/response"
            )


if __name__ == "__main__":
    main()

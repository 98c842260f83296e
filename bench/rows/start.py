"""How long until it answers: imports, the embedded PostgreSQL, `make run`."""

import subprocess
import sys
from functools import partial
from time import perf_counter

from bench.figures import Figure, Target
from bench.row import Row, Run
from bench.stage import ROOT, SERVE, folder, free_port, running, wait_for
from nexuscore.kernel import postgres

TITLE = "Starting"

# Packages of providers: loaded by the one adapter that speaks to them, when it first does.
SDKS = (
    "aioboto3 aiobotocore anthropic azure boto3 botocore cohere firebase_admin google googleapiclient groq hcaptcha"
    " huggingface_hub langchain litellm mistralai ollama openai paypalrestsdk pinecone plaid posthog pyrogram resend"
    " sendgrid sentry_sdk slack_sdk stripe telegram telethon torch transformers twilio"
)

_IMPORT = """
import sys, time
started = time.perf_counter()
import {name}
print(time.perf_counter() - started, time.process_time(), *(each for each in '{sdks}'.split() if each in sys.modules))
"""


async def _imports(name: str, target: Target | None, run: Run) -> list[Figure]:
    seconds: list[float] = []
    spent: list[float] = []
    loaded: set[str] = set()
    for _ in range(run.rounds):
        code = _IMPORT.format(name=name, sdks=SDKS)
        wall, cpu, *found = _output(sys.executable, "-c", code).split()
        seconds.append(float(wall))
        spent.append(float(cpu))
        loaded.update(found)
    return [
        Figure(f"`import {name}`", "seconds", tuple(seconds), target),
        Figure(f"`import {name}`", "CPU seconds, interpreter included", tuple(spent)),
        Figure(f"`import {name}`", "provider SDKs", (len(loaded),), Target(0), " ".join(sorted(loaded))),
    ]


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


async def _postgres(run: Run) -> list[Figure]:
    seconds = []
    with folder() as data:
        for _ in range(run.rounds + 1):
            started = perf_counter()
            server = await postgres.start(data, owner="make bench")
            seconds.append(perf_counter() - started)
            await server.stop()
    return [
        Figure("embedded PostgreSQL, first start", "seconds", (seconds[0],)),
        Figure("embedded PostgreSQL, later starts", "seconds", tuple(seconds[1:])),
    ]


async def _make_run(run: Run) -> list[Figure]:
    seconds = []
    with folder() as data:
        for _ in range(run.rounds + 1):
            port = free_port()
            started = perf_counter()
            with running([*SERVE, "--data", str(data), "--port", str(port)], {}) as process:
                wait_for(process, port, "/health/ready")
                seconds.append(perf_counter() - started)
    return [
        Figure("`make run` to its first answer, first run", "seconds", (seconds[0],)),
        Figure("`make run` to its first answer, later runs", "seconds", tuple(seconds[1:]), Target(3)),
    ]


ROWS = [
    Row("import", TITLE, partial(_imports, "nexuscore", Target(0.5))),
    Row("import-main", TITLE, partial(_imports, "nexuscore.main", None)),
    Row("postgres", TITLE, _postgres),
    Row("run", TITLE, _make_run),
]

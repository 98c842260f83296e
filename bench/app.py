"""Serve the example app as `nexus serve --no-workers` does, for the measurements that bring their own database."""

import os
import sys

import uvloop

from examples.main import app
from nexuscore.kernel import log, process

if __name__ == "__main__":
    log.configure(level="info", format="json", stream=sys.stdout)
    listener = process.listen("127.0.0.1", int(os.environ["PORT"]))
    uvloop.run(process.serve(app, listener, workers=False, migrated=False))

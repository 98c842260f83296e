"""The Python client against a running server, run by the Python it was made with."""

import json
import sys
from importlib import import_module
from pathlib import Path

folder, base, token = sys.argv[1:]
sys.path.insert(0, str(Path(folder).parent))
package = Path(folder).name
name = f"{package}.api.notes"
create, read, listing = (import_module(f"{name}.{verb}") for verb in ("create_note", "read_note", "list_notes"))
models = import_module(f"{package}.models")
client = import_module(package).AuthenticatedClient(base_url=base, token=token)

made = create.sync(client=client, body=models.NewNote(title="Milk", body="", tags=["shop"]))
again = read.sync(made.id, client=client)
listed = listing.sync(client=client, limit=1)
wrong = create.sync_detailed(client=client, body=models.NewNote(title=""))
sys.stdout.write(
    json.dumps(
        {
            "read": again.title,
            "listed": [note.title for note in listed.data],
            "wrong": [wrong.status_code, wrong.parsed.error_code],
        }
    )
)

# type: ignore  # noqa: PGH003 - the whole file: Django is installed for this peer alone
"""Notes in Django Ninja and Django's ORM on psycopg, behind gunicorn's threads; a page by its templates."""

import os
import uuid
from datetime import datetime
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="for a benchmark",  # noqa: S106 - nothing is signed here
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # no more of the usual seven than Content-Length needs
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"],
            "NAME": os.environ["PGDATABASE"],
            "CONN_MAX_AGE": None,
        }
    },
)
settings.TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],  # kept once read, as always without DEBUG
    }
]
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402 - models need the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402 - as above
from django.db import models, transaction  # noqa: E402 - as above
from django.shortcuts import get_object_or_404, render  # noqa: E402 - as above
from django.urls import path  # noqa: E402 - as above
from django.utils import timezone  # noqa: E402 - as above
from ninja import Field, NinjaAPI, Query, Schema  # noqa: E402 - as above
from uuid_utils.compat import uuid7  # noqa: E402 - as above

ORG = uuid.UUID(os.environ["BENCH_ORG"])
api = NinjaAPI()


class Note(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7)
    org_id = models.UUIDField()
    title = models.TextField()
    body = models.TextField()
    tags = ArrayField(models.TextField())
    words = models.BigIntegerField(null=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    is_deleted = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "bench"
        db_table = "notes"
        managed = False


class Event(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7)
    org_id = models.UUIDField()
    type = models.TextField()
    data = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "bench"
        db_table = "peer_events"
        managed = False


class Job(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7)
    kind = models.TextField()
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "bench"
        db_table = "peer_jobs"
        managed = False


class NewNote(Schema):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=100_000)
    tags: list[str] = Field(default_factory=list, max_length=20)


class NoteOut(Schema):
    id: uuid.UUID
    title: str
    body: str
    tags: list[str]
    words: int | None
    created_by: uuid.UUID | None
    created_at: datetime
    updated_at: datetime


@api.get("/notes", response=list[NoteOut])
def list_notes(request, limit: int = Query(20, ge=1, le=100)):
    return Note.objects.order_by("-id")[:limit]


@api.get("/notes/{uuid:note_id}", response=NoteOut)
def read_note(request, note_id: uuid.UUID):
    return get_object_or_404(Note, id=note_id)


@api.post("/notes", response={201: NoteOut})
def create_note(request, new: NewNote):
    with transaction.atomic():
        note = Note.objects.create(org_id=ORG, **new.dict())
        Event.objects.create(org_id=ORG, type="note.created", data={"note_id": str(note.id), "title": note.title})
        Job.objects.create(kind="note.created", payload={"note_id": str(note.id)})
    return 201, note


NAV = [(f"/page/{n}", f"Place {n}") for n in range(30)]


def notes_page(request):
    notes = Note.objects.order_by("-id")[: int(request.GET.get("limit", "20"))]
    return render(request, "notes.html", {"notes": notes, "nav": NAV})


urlpatterns = [path("notes/page", notes_page), path("", api.urls)]
application = get_wsgi_application()

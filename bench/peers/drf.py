# type: ignore  # noqa: PGH003 - the whole file: Django is installed for this peer alone
"""Notes in Django REST framework with its usual packages: SimpleJWT, filters, drf-spectacular, throttles, gzip."""

import os
import uuid

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=os.environ["BENCH_SECRET"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "django_filters",
        "drf_spectacular",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    USE_TZ=True,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"user": "1000000/s"},
        "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    },
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
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402 - models need the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402 - as above
from django.db import models, transaction  # noqa: E402 - as above
from django.urls import include, path  # noqa: E402 - as above
from django.utils import timezone  # noqa: E402 - as above
from rest_framework import pagination, response, routers, serializers, viewsets  # noqa: E402 - as above
from uuid_utils.compat import uuid7  # noqa: E402 - as above

ORG = uuid.UUID(os.environ["BENCH_ORG"])


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


class NoteSerializer(serializers.ModelSerializer):
    title = serializers.CharField(min_length=1, max_length=200)
    body = serializers.CharField(max_length=100_000, allow_blank=True, default="")
    tags = serializers.ListField(child=serializers.CharField(), max_length=20, default=list)

    class Meta:
        model = Note
        fields = ("id", "title", "body", "tags", "words", "created_by", "created_at", "updated_at")
        read_only_fields = ("id", "words", "created_by", "created_at", "updated_at")


class Newest(pagination.CursorPagination):
    ordering = "-id"
    page_size = 20
    max_page_size = 100
    page_size_query_param = "limit"

    def get_paginated_response(self, data):
        return response.Response({"data": data, "next": self.get_next_link()})


class Notes(viewsets.ModelViewSet):
    queryset = Note.objects.all()
    serializer_class = NoteSerializer
    pagination_class = Newest
    filterset_fields = ("title",)

    def perform_create(self, serializer):
        with transaction.atomic():
            note = serializer.save(org_id=ORG)
            Event.objects.create(org_id=ORG, type="note.created", data={"note_id": str(note.id), "title": note.title})
            Job.objects.create(kind="note.created", payload={"note_id": str(note.id)})


router = routers.SimpleRouter(trailing_slash=False)
router.register("notes", Notes)
urlpatterns = [path("", include(router.urls))]
application = get_wsgi_application()

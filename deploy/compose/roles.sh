#!/bin/sh
# Once, when the database is made: the two roles of the app, which own nothing. Migrations run as the owner.
set -eu
psql --set ON_ERROR_STOP=1 --set app="$APP_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE nexus_app LOGIN NOINHERIT PASSWORD :'app';
CREATE ROLE nexus_across NOLOGIN;
GRANT nexus_across TO nexus_app;
SQL

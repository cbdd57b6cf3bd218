#!/bin/sh
# Run by the image of PostgreSQL at its first start: the login that the service works with. `migrate`
# makes it a member of nwd_service. The image's own user, the owner, is for `migrate` alone.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$SERVICE_PASSWORD" \
  --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE nwd_app LOGIN PASSWORD :'password';
SQL

# One image for every process: `migrate`, `serve` (the default) and `deliver`.
# CI lints this file (.ci/image) and does not build it: build and try it where you deploy from.

FROM python:3.11-slim AS build
WORKDIR /srv
COPY requirements.lock ./
# Wheels only, checked against the lock: nothing is compiled, so no compiler is needed.
RUN python -m venv /srv/.venv \
    && /srv/.venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock \
    && /srv/.venv/bin/pip uninstall --yes setuptools pip
COPY app ./app
COPY migrations ./migrations
RUN /srv/.venv/bin/python -m compileall -q app migrations

FROM python:3.11-slim
# Owned by root, run by a user who may write none of it.
COPY --from=build /srv /srv
WORKDIR /srv
ENV PATH=/srv/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]

# To pin what it stands on: docker build --build-arg BASE=python:3.11-slim@sha256:… .
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
COPY requirements.txt .
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
WORKDIR /app
COPY service service
RUN /opt/venv/bin/python -m compileall -q /opt/venv/lib service

FROM ${BASE}
LABEL org.opencontainers.image.title="gpu-memory-planner" \
      org.opencontainers.image.description="How much GPU memory a model needs, and the smallest set of cards that it fits on" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app/service /app/service
WORKDIR /app
COPY LICENSE gpus.yaml openapi.yaml ./
COPY config config
ENV HOST=0.0.0.0 PORT=8000 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["/opt/venv/bin/python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/livez', timeout=2)"]
CMD ["/opt/venv/bin/gunicorn", "--config", "config/gunicorn.conf.py", "service.app:create_app()"]

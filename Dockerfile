FROM python:3.11-slim AS build
COPY requirements.txt .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim
LABEL org.opencontainers.image.title="gpu-memory-planner" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY service service
COPY config config
COPY gpus.yaml openapi.yaml ./
USER 10001
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["/opt/venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["/opt/venv/bin/gunicorn", "--config", "config/gunicorn.conf.py", "service.app:create_app()"]

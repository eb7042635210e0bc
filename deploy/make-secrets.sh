#!/bin/sh
# Makes the secrets of a deployment, one file each (0600), and prints the lines for .env; never overwrites one.
# Usage: make-secrets.sh [--demo] FOLDER
set -eu
umask 077

fail() { echo "make-secrets: $*" >&2; exit 1; }

demo=
[ "${1:-}" = --demo ] && { demo=yes; shift; }
[ $# -eq 1 ] || fail "give the folder to make, such as: deploy/make-secrets.sh secrets"
for tool in openssl age-keygen; do
    command -v "$tool" >/dev/null || fail "$tool is missing, on Debian: apt install age openssl"
done

# The containers run as the owner of these files: compose mounts them as they are, 0600 and all.
uid=${HOLDFAST_UID:-$(id -u)}
gid=${HOLDFAST_GID:-$(id -g)}
[ "$uid" -ne 0 ] || fail "run it as the ordinary user that the containers are to run as, or set HOLDFAST_UID and HOLDFAST_GID"

mkdir -p "$1"
cd "$1"
folder=$(pwd)

# once NAME COMMAND…: the command's output becomes the file NAME, unless that exists.
once() {
    name=$1; shift
    [ -e "$name" ] && return
    "$@" >"$name.new" || { rm -f "$name.new"; fail "$name could not be made"; }
    mv "$name.new" "$name"
}
password() { openssl rand -hex 24 | tr -d '\n'; }
# url PREFIX PASSWORD_FILE SUFFIX: hexadecimal passwords need no escaping.
url() { printf '%s%s%s' "$1" "$(cat "$2")" "$3"; }
fernet_key() { openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n'; }
# age-keygen also says the recipient on stderr.
identity() { age-keygen 2>/dev/null; }
redis_users() {
    # Redis keeps only the hash. The user that asks after its health may do nothing else.
    hash=$(printf %s "$(cat redis_password)" | openssl dgst -sha256 | sed 's/.*= //')
    printf 'user default off\nuser health on nopass -@all +ping\nuser airflow on #%s ~* &* +@all -@admin\n' "$hash"
}
connections() {
    printf '# Connections by id, as URI or as fields: docs/deployment.md shows both. Restart the workers after a change.\n{}\n'
}
access_key() { printf HF; openssl rand -hex 9 | tr a-f A-F | tr -d '\n'; }
s3_logins() {
    printf '{"identities": [{"name": "holdfast", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], ' \
        "$(cat demo_s3_access_key)" "$(cat demo_s3_secret_key)"
    printf '"actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}\n'
}
demo_stores() {
    for app in coursepedia campustrack; do
        printf '%s_backup_store: {conn_type: aws, login: "%s", password: "%s", ' \
            "$app" "$(cat demo_s3_access_key)" "$(cat demo_s3_secret_key)"
        printf 'extra: {endpoint_url: "http://seaweedfs:8333", region_name: us-east-1}}\n'
    done
}
demo_connections() {
    login=$(url holdfast_backup: demo_backup_password @demo-postgres:5432)
    cat <<END
coursepedia_production_db: postgresql://$login/coursepedia_production
campustrack_production_db: postgresql://$login/college_attendance
campustrack_staging_db: postgresql://$login/college_attendance_staging
campustrack_development_db: postgresql://$login/college_attendance_development
END
    demo_stores
}
# Only the worker that changes what is live knows the owners of the databases.
demo_operations() {
    owner() { url "$1_app:" demo_owner_password "@demo-postgres:5432/$1"; }
    demo_connections
    cat <<END
coursepedia_production_owner: postgresql://$(owner coursepedia_production)
campustrack_production_owner: postgresql://$(owner college_attendance)
campustrack_staging_owner: postgresql://$(owner college_attendance_staging)
campustrack_development_owner: postgresql://$(owner college_attendance_development)
END
}

# initdb, which makes the clusters of recovery environments, wants its user to have a name.
passwd() { printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nholdfast:x:%s:%s::/opt/airflow:/usr/sbin/nologin\n' "$uid" "$gid"; }
once passwd passwd
once postgres_password password
once database_url url postgresql+psycopg2://airflow: postgres_password @postgres:5432/airflow
once redis_password password
once redis_users redis_users
once broker_url url redis://airflow: redis_password @redis:6379/0
once result_url url redis://airflow: redis_password @redis:6379/1
once fernet_key fernet_key
once jwt_secret openssl rand -hex 64
once api_secret_key openssl rand -hex 32
once admin_password password

# The same files as `holdfast keys new` makes.
once identity.txt identity
once recipient.txt age-keygen -y identity.txt
once signing.pem openssl genpkey -algorithm ed25519
once signing.pub openssl pkey -in signing.pem -pubout

if [ -n "$demo" ]; then
    once demo_postgres_password password
    once demo_owner_password password
    once demo_backup_password password
    once demo_s3_access_key access_key
    once demo_s3_secret_key password
    once demo_s3.json s3_logins
    once connections.yaml demo_connections
    once connections-alerts.yaml demo_stores
    once connections-recovery.yaml demo_stores
    once connections-operations.yaml demo_operations
fi
once connections.yaml connections
once connections-alerts.yaml connections
once connections-recovery.yaml connections
once connections-operations.yaml connections

[ "$(id -u)" -ne 0 ] || chown -R "$uid:$gid" .

cat <<END
HOLDFAST_SECRETS=$folder
HOLDFAST_UID=$uid
HOLDFAST_GID=$gid
HOLDFAST_ADMIN=admin
END
echo "make-secrets: the secrets are in $folder; the login's password is in $folder/admin_password" >&2

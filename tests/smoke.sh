#!/bin/sh
# smoke.sh - the four requests that have to work on any installation
#
#   tests/smoke.sh [HOST]     http://127.0.0.1:8080 when there is none
#
# TWILIO_AUTH_TOKEN signs them, for PUBLIC_HOST when that is set; without a token they are unsigned, which a server in
# development takes from its own machine. AGENTLOCATOR is the program that prints the routes.
set -eu

host=${1-http://127.0.0.1:8080}
host=${host%/}
case $host in http*) ;; *) host=https://$host ;; esac
signed=${PUBLIC_HOST:+https://$PUBLIC_HOST}
signed=${signed:-$host}
program=${AGENTLOCATOR-$(dirname "$0")/../build/agentlocator}
[ -x "$program" ] || program=$(command -v agentlocator || true)
account=${TWILIO_ACCOUNT_SID-AC00000000000000000000000000000000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
n_failed=0

verdict()
{
    if [ "$1" = 0 ]; then
        echo "ok      $2"
    else
        echo "FAILED  $2"
        n_failed=$((n_failed + 1))
    fi
}

random_sid() { echo "$1$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"; }

# signature PATH NAME=VALUE...: as Twilio signs: the URL, then names and values sorted by name, nothing between
signature()
{
    url=$signed$1
    shift
    {
        printf %s "$url"
        printf '%s\n' "$@" | LC_ALL=C sort -t= -k1,1 | sed 's/=//' | tr -d '\n'
    } | openssl dgst -sha1 -hmac "$TWILIO_AUTH_TOKEN" -binary | openssl base64
}

# post PATH WANTED NAME=VALUE...: the body goes to $scratch/body
post()
{
    path=$1 wanted=$2
    shift 2
    sign=
    [ -z "${TWILIO_AUTH_TOKEN-}" ] || sign=$(signature "$path" "$@")
    for pair; do
        shift
        set -- "$@" --data-urlencode "$pair"
    done
    got=$(curl -sS -m 15 -o "$scratch/body" -w '%{http_code}' ${sign:+-H "X-Twilio-Signature: $sign"} "$@" "$host$path") ||
        got="no answer"
    [ "$got" = "$wanted" ]
    verdict $? "POST $path: $got"
}

# 1
got=$(curl -sS -m 15 -o "$scratch/body" -w '%{http_code}' "$host/health") || got="no answer"
[ "$got" = 200 ] && status=0 || status=1
verdict "$status" "GET /health: $got"

# 2
if [ -n "$program" ] && routes=$("$program" routes 2>&1); then
    twice=$(echo "$routes" | awk 'NR > 1 { print $1, $2 }' | sort | uniq -d)
    [ -z "$twice" ] && ! echo "$routes" | grep -q 'DUPLICATE ROUTE' && status=0 || status=1
    verdict "$status" "routes: $(echo "$routes" | awk 'NR > 1' | grep -c .), none twice${twice:+, but $twice}"
else
    verdict 1 "routes: ${routes-there is no program agentlocator; AGENTLOCATOR may name it}"
fi

# 3
sid=$(random_sid SM)
set +e
post /webhook/whatsapp/incoming 200 AccountSid="$account" Body="smoke test" From=whatsapp:+972500000000 MessageSid="$sid" \
    NumMedia=0 To=whatsapp:+97230000000
post /webhook/whatsapp/status 204 AccountSid="$account" From=whatsapp:+97230000000 MessageSid="$sid" \
    MessageStatus=delivered To=whatsapp:+972500000000

# 4, and an end to that call
sid=$(random_sid CA)
post /webhook/incoming_call 200 AccountSid="$account" ApiVersion=2010-04-01 CallSid="$sid" CallStatus=ringing \
    Direction=inbound From=+972500000000 To=+97230000000
head -n 1 "$scratch/body" | grep -q '<Connect action=.*><Stream'
verdict $? "incoming_call: <Connect> with a <Stream> in its first line"
post /webhook/call_status 204 AccountSid="$account" ApiVersion=2010-04-01 CallSid="$sid" CallStatus=canceled \
    Direction=inbound From=+972500000000 SequenceNumber=0 To=+97230000000

[ "$n_failed" = 0 ] || {
    echo "$n_failed failed"
    exit 1
}

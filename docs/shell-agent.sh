#!/bin/sh
# A Kattila agent in a shell: sends one signed report of this host, so run it from a timer.
# Needs ip, openssl and curl; wg if there are tunnels (as root, to see them); dig without KATTILA_PSK.
# Set KATTILA_URL, and KATTILA_DNS_NAME (whose TXT record is the key) or KATTILA_PSK.
# openssl is given the key as an argument: do not use this where others may list processes.
set -eu
if [ -z "${KATTILA_PSK:-}" ]; then
  server=${KATTILA_DNS_SERVER:-}
  set -- ${server:+"@${server%:*}" -p "${server##*:}"} TXT "${KATTILA_DNS_NAME:?names the TXT record}"
  KATTILA_PSK=$(dig +short "$@" | sed -n '/^"/!d; /v=spf1/d; s/" "//g; s/^"//; s/"$//; s/\\\(.\)/\1/g; p; q')
fi
psk=${KATTILA_PSK%%,*}
case ${psk:?is empty: the TXT record could not be read} in
  hex:*) key=${psk#hex:} ;;
  b64:* | v=kattila1*) key=$(printf %s "$psk" | sed 's/^b64://; s/.*[; ]k=\([^; ]*\).*/\1/; s/=//g' | tr _- /+ |
    awk '{ while (length($0) % 4) $0 = $0 "="; print }' | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n') ;;
  *) key=$(printf %s "$psk" | od -An -v -tx1 | tr -d ' \n') ;;
esac
dump=$(wg show all dump 2>/dev/null | awk 'BEGIN { FS = "\t"; OFS = "\\t"; ORS = "\\n" }
  { gsub(/[\\"]/, "\\\\&") } NF < 9 { $2 = "(hidden)" } NF == 9 && $3 != "(none)" { $3 = "(hidden)" } { $1 = $1; print }')
data=$(printf '{"hostname":"%s","fleet_id":"%s","labels":{"site":"%s"},"boot_id":"%s","uptime_seconds":%s,"load":[%s],"collected_at":%s,"interfaces":%s,"routes":%s,"wg_dump":"%s"}' \
  "$(uname -n)" "${KATTILA_FLEET:-default}" "${KATTILA_SITE:-}" "$(cat /proc/sys/kernel/random/boot_id)" \
  "$(cut -d. -f1 /proc/uptime)" "$(cut -d' ' -f1-3 /proc/loadavg | tr ' ' ,)" "$(date +%s)" \
  "$(ip -j -s addr)" "$(ip -j route show table all)" "$dump")
hmac=$(printf %s "$data" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" | sed 's/.* //')
printf '{"agent_id":"%s","timestamp":%s,"nonce":"%s","hmac":"%s","data":%s}' "${KATTILA_AGENT_ID:-$(uname -n)}" \
  "$(date +%s)" "$(openssl rand -hex 16)" "$hmac" "$data" |
  curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary @- "${KATTILA_URL:-http://127.0.0.1:5086}/status/updates"

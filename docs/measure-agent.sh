#!/usr/bin/env bash
# Measures what the agent costs a host: memory, CPU for each report, bytes on the wire for each
# report. Beside it, where prometheus-node-exporter is installed, what that costs for each scrape.
#
#   docs/measure-agent.sh [PROGRAM [REPORTS [PEERS...]]]
#
# PROGRAM is a release build of kattila (target/release/kattila), REPORTS how many are counted
# (60), PEERS on how many WireGuard peers (1 50 250). It needs root, for namespaces of its own:
# nothing outside of them is touched, everything in them ends with this script, and that takes
# about a second for each report. It needs ip, curl, wg, and WireGuard in the kernel or
# wireguard-go.
#
# A host with an agent and a host with a manager are joined by a cable. Bytes are what the
# cable's end at the agent has counted: whole Ethernet frames, acknowledgements too, no TLS.
# CPU is what the kernel has charged to the process, in user and in system time.
set -euo pipefail

if [[ ${1:-} != --inside ]]; then
  if ((EUID != 0)); then
    echo "This needs root, for namespaces of its own." >&2
    exit 1
  fi
  for tool in curl ip unshare wg; do
    command -v "$tool" >/dev/null || { echo "This needs $tool." >&2; exit 1; }
  done
  program=$(realpath -e "${1:-target/release/kattila}")
  exec unshare --net --mount --uts --pid --fork --kill-child --propagation private \
    "$0" --inside "$program" "${2:-60}" "${@:3}"
fi

program=$2 reports=$3
shift 3
peers=("$@")
((${#peers[@]})) || peers=(1 50 250)

mount -t proc proc /proc
# So that neither sockets nor names of namespaces are seen outside.
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
cd /tmp
mkdir -p /run/wireguard
hostname measured
ip link set lo up
ip netns add manager
ip link add eth0 type veth peer name eth0 netns manager
ip addr add 192.0.2.1/24 dev eth0
ip link set eth0 up
ip -n manager addr add 192.0.2.2/24 dev eth0
ip -n manager link set lo up
ip -n manager link set eth0 up

at_manager() { ip netns exec manager "$@"; }

# Reads /proc: user and system time of a process in milliseconds.
cpu() {
  local stat
  read -r -a stat <"/proc/$1/stat"
  echo $(((stat[13] + stat[14]) * 1000 / $(getconf CLK_TCK)))
}

# A line of /proc/PID/status, in MiB.
mib() { awk -v "name=$2:" '$1 == name { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

sent() { awk '$1 == "eth0:" { print $10 }' /proc/net/dev; }
received() { awk '$1 == "eth0:" { print $2 }' /proc/net/dev; }

# Counts what the manager has taken, asked there so that no byte of it is on the cable.
taken() {
  at_manager curl -s http://127.0.0.1:5088/metrics |
    awk '/^kattila_reports_total\{answer="ok"\}/ { n = $2 } END { print n + 0 }'
}

# Waits until the manager has taken so many reports, or fails.
await() {
  for ((look = 0; look < $1 * 8 + 300; look++)); do
    (($(taken) >= $1)) && return
    sleep 0.25
  done
  echo "The reports do not arrive:" >&2
  cat agent.log >&2
  exit 1
}

# Prints a row of the table about a process, the second word, during a command, all further
# words, that sets `counted` to how many reports or scrapes there were.
measure() {
  local what=$1 pid=$2
  shift 2
  local before after
  before=("$(cpu "$pid")" "$(sent)" "$(received)")
  "$@"
  after=("$(cpu "$pid")" "$(sent)" "$(received)")
  awk -v "what=$what" -v "n=$counted" -v "rss=$(mib "$pid" VmRSS)" \
    -v "own=$(mib "$pid" RssAnon)" -v "peak=$(mib "$pid" VmHWM)" \
    -v "cpu=$((after[0] - before[0]))" -v "out=$((after[1] - before[1]))" \
    -v "in_=$((after[2] - before[2]))" 'BEGIN {
      printf "| %s | %d | %s | %s | %s | %.1f | %.0f | %.0f |\n",
        what, n, rss, own, peak, cpu / n, out / n, in_ / n }'
}

# A private or public key of nobody: WireGuard takes any 32 bytes.
key() { head -c 32 /dev/urandom | base64; }

# An interface with so many peers, which have endpoints but nothing to say.
tunnel() {
  ip link add wg0 type wireguard 2>/dev/null ||
    LOG_LEVEL=silent wireguard-go wg0 >wireguard.log 2>&1
  {
    printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\n' "$(wg genkey)"
    for ((peer = 0; peer < $1; peer++)); do
      local host=$((peer / 250)).$((peer % 250 + 1))
      printf '[Peer]\nPublicKey = %s\nPresharedKey = %s\nEndpoint = 198.51.100.%s:51820\n' \
        "$(key)" "$(key)" "$((peer % 250 + 1))"
      printf 'AllowedIPs = 10.9.%s/32\n' "$host"
    done
  } >wg.conf
  wg setconf wg0 wg.conf
  ip addr add 10.9.200.1/16 dev wg0
  ip link set wg0 up
  ip route replace default via 192.0.2.2
}

until_counted() {
  local first
  first=$(taken)
  await $((first + reports))
  counted=$(($(taken) - first))
}

# Scrapes once in a second over one connection, compressed, as Prometheus does.
scrape() {
  local urls=()
  for ((counted = 0; counted < reports; counted++)); do
    urls+=(-o /dev/null http://192.0.2.1:9100/metrics)
  done
  at_manager curl -s --compressed --rate 60/m "${urls[@]}"
}

psk=$(key)
echo "| on the host | counted | RSS MiB | of it anonymous | peak MiB | CPU ms each | bytes sent each | received each |"
echo "|---|---|---|---|---|---|---|---|"
for count in "${peers[@]}"; do
  tunnel "$count"
  rm -rf db agent
  mkdir db agent
  ip netns exec manager env -i KATTILA_LISTEN=192.0.2.2:5086 KATTILA_METRICS_LISTEN=127.0.0.1:5088 \
    KATTILA_DB=db/k.db KATTILA_PSK="$psk" KATTILA_REPORT_INTERVAL=1 KATTILA_RATE_AGENT=off \
    "$program" serve >manager.log 2>&1 &
  manager=$!
  until taken >/dev/null; do sleep 0.25; done
  env -i KATTILA_MANAGER=http://192.0.2.2:5086 KATTILA_PSK="$psk" KATTILA_AGENT_DIR=agent \
    "$program" agent >agent.log 2>&1 &
  agent=$!
  # The first reports enrol, connect and fill its memory.
  await 5
  measure "kattila agent, $count peers" "$agent" until_counted
  kill "$agent" "$manager"
  wait
  if [[ -e /run/wireguard/wg0.sock ]]; then
    kill "$(pidof wireguard-go)"
    while ip link show wg0 >/dev/null 2>&1; do sleep 0.1; done
  else
    ip link del wg0
  fi
done

if command -v prometheus-node-exporter >/dev/null; then
  prometheus-node-exporter >exporter.log 2>&1 &
  exporter=$!
  until curl -s -o /dev/null http://192.0.2.1:9100/metrics; do sleep 0.25; done
  version=$(prometheus-node-exporter --version 2>&1 | awk '{ print $3; exit }')
  measure "node_exporter $version" "$exporter" scrape
  kill "$exporter"
fi

#!/usr/bin/env bash
# Runs amend on several machines without a scheduler, as many ranks as the host file has slots:
#   cluster/run-hosts.sh HOSTFILE train CONFIG [key.path=value …]
# Ctrl-C or SIGTERM makes the ranks save and stop (status 75); a second one ends them at once.
# NETWORK=10.0.0.0/24 names the network to use where machines have several.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
amend=${AMEND:-$root/.build/release/amend}
[ $# -ge 2 ] || { echo "usage: run-hosts.sh HOSTFILE COMMAND [ARGUMENT …], for example: hosts train Configs/quickstart.yaml" >&2; exit 2; }
[ -r "$1" ] || { echo "run-hosts.sh: there is no host file $1; see $root/cluster/hosts.example" >&2; exit 2; }
[ -x "$amend" ] || { echo "run-hosts.sh: $amend is not there: swift build -c release --product amend, or set AMEND" >&2; exit 2; }
hosts=$1
shift

if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
network=()
if [ -n "${NETWORK:-}" ]; then network=(--mca btl_tcp_if_include "$NETWORK" --mca oob_tcp_if_include "$NETWORK"); fi

# In a session of its own, mpirun does not see Ctrl-C, at which it would end the ranks within a second.
setsid mpirun --quiet --bind-to none --hostfile "$hosts" "${network[@]}" "$amend" "$@" &
job=$!
requests=0
# shellcheck disable=SC2317 # called by the trap
stop() {
    requests=$((requests + 1))
    if [ "$requests" = 1 ]; then
        echo "saving and stopping; once more to end at once" >&2
        kill -USR1 "$job" 2>/dev/null || true
    else
        kill -TERM "$job" 2>/dev/null || true
    fi
}
trap stop INT TERM USR1
seen=-1
status=0
while [ "$seen" != "$requests" ]; do # a signal interrupts `wait`, which is then begun again
    seen=$requests
    status=0
    wait "$job" || status=$?
done
exit "$status"

#!/usr/bin/env bash
# The quickstart as a newcomer meets it: `npm start`, then dig and curl from outside, at the fixed places that scripts
# may rely on. Ends with what it started, and prints one line per thing that was seen.
set -euo pipefail
cd "$(dirname "$0")/../.."

state=$(mktemp -d)
log=$state/npm-start.log
folder=$state/folder
cp -r examples/quickstart "$folder"

fail() { echo "FAILED: $*" >&2; tail -n 40 "$log" >&2; exit 1; }
seen() { echo "ok: $*"; }
# expect WHAT WANTED COMMAND...: the command's output, tried again for 20 s until it is what is wanted.
expect() {
  local what=$1 wanted=$2 got=''
  shift 2
  for _ in $(seq 100); do
    got=$("$@" 2>/dev/null || true)
    if [[ "$got" == $wanted ]]; then seen "$what"; return; fi
    sleep 0.2
  done
  fail "$what: wanted '$wanted', got '$got'"
}

# `npm start` runs `weir standalone examples/quickstart`; a copy of the folder and a state of its own leave no traces.
started=$(date +%s)
node_modules/.bin/node cli/weir.mjs standalone "$folder" --state "$state/weir" >"$log" 2>&1 &
weir=$!
trap 'kill "$weir" 2>/dev/null || true; wait "$weir" 2>/dev/null || true; rm -rf "$state"' EXIT

answer() { dig @127.0.0.1 -p 5300 +short +time=2 +tries=1 +subnet="$1" video.demo.cdn.example.net; }
cache_status() { curl -s -o /dev/null -D - --connect-to "::$1:8080" "http://video.example.com$2" | tr -d '\r' | sed -n 's/^cache-status: //Ip'; }
weir() { node_modules/.bin/node cli/weir.mjs "$@" --state "$state/weir"; }

expect 'a client in Zhengzhou goes to zz-1' 127.0.2.1 answer 202.102.224.0/24
seen "answering after $(($(date +%s) - started)) s"
expect 'a client in Beijing goes to bj-1' 127.0.1.1 answer 202.106.0.0/24
expect 'a client in California goes to la-1' 127.0.3.1 answer 8.8.8.0/24
expect 'a client in Chongqing goes to cn-central' 127.0.2.1 answer 61.128.128.0/24
expect 'an IPv6 client in Beijing goes to bj-1' 127.0.1.1 answer 2001:da8:200::/48
expect 'the same over TCP' 127.0.2.1 dig @127.0.0.1 -p 5300 +short +tcp +subnet=202.102.224.0/24 video.demo.cdn.example.net
expect 'NXDOMAIN in the zone' '*status: NXDOMAIN*flags: qr aa*' dig @127.0.0.1 -p 5300 nothing.cdn.example.net
expect 'REFUSED outside it' '*status: REFUSED*' dig @127.0.0.1 -p 5300 example.org
expect 'a node by its name' 127.0.2.1 dig @127.0.0.1 -p 5300 +short zz-1.node.cdn.example.net

expect 'a miss, stored' '*fwd=uri-miss*stored*' cache_status 127.0.2.1 /page.html
expect 'then a hit' 'zz-1; hit*' cache_status 127.0.2.1 /page.html
expect '404 for a host that no domain has' 404 curl -s -o /dev/null -w '%{http_code}' http://127.0.2.1:8080/
expect 'a range of a stored object' 206 curl -s -o /dev/null -w '%{http_code}' -r 0-9 --connect-to ::127.0.2.1:8080 http://video.example.com/page.html
https() { curl -s -o /dev/null -w '%{http_version} %{http_code}' --cacert "$state/weir/samples/ca.pem" "$@" --connect-to ::127.0.2.1:8443 https://video.example.com/page.html; }
expect 'HTTPS by HTTP/2' '2 200' https
expect 'and by HTTP/1.1' '1.1 200' https --http1.1
expect 'from the same cache' 'zz-1; hit*' bash -c "curl -s -o /dev/null -D - --cacert '$state/weir/samples/ca.pem' --connect-to ::127.0.2.1:8443 https://video.example.com/page.html | tr -d '\r' | sed -n 's/^cache-status: //Ip'"
if https --tls-max 1.1 >/dev/null 2>&1; then fail 'TLS 1.1 was spoken'; else seen 'no TLS 1.1'; fi
for place in 127.0.0.1:8700 127.0.0.1:8702 127.0.1.1:8701 127.0.2.1:8701 127.0.3.1:8701; do
  expect "readyz of $place" ok curl -s "http://$place/readyz"
  expect "metrics of $place" '*process_cpu*' curl -s "http://$place/metrics"
done

expect 'the domain is ready' '*video.demo.cdn.example.net*True*' weir get cdn
weir purge --url http://video.example.com/page.html >/dev/null || fail 'weir purge'
expect 'after a purge it is a miss again' '*fwd=uri-miss*' cache_status 127.0.2.1 /page.html
expect 'explain names the region and every edge' '*cn-central*zz-1*bj-1*la-1*' weir explain video.example.com --client 202.102.224.68

# Every command that the README gives to a newcomer works as it stands there, on this run’s state. Those for Kubernetes are
# what test/e2e runs.
while IFS= read -r line; do
  line=${line%%  #*}
  line=${line/--cacert .weir/--cacert $state/weir}
  if [[ $line =~ ^npx\ weir\ (explain|purge|get) ]]; then line="$line --state $state/weir"; fi
  bash -c "${line/#npx weir/node_modules/.bin/node cli/weir.mjs}" >/dev/null || fail "README: $line"
  seen "README: $line"
done < <(sed '/^## .*Kubernetes/,$d' README.md | sed -n '/^```sh/,/^```/p' | grep -E '^(dig|curl|npx) ')

# A mistake in the folder changes nothing that works, and is told.
sed -i 's/hostname:/hostnam:/' "$folder/domain.yaml"
expect 'a typo is told' '*hostnam*' weir get cdn video --namespace demo
expect 'and the accepted form stays in force' 127.0.2.1 answer 202.102.224.0/24
if weir validate "$folder" >/dev/null 2>&1; then fail 'weir validate found nothing wrong'; else seen 'weir validate exits 1'; fi

kill -INT "$weir"
if wait "$weir"; then seen 'stops cleanly'; else fail "exit code $? on Ctrl-C"; fi
if curl -s -m 2 -o /dev/null http://127.0.2.1:8701/healthz; then fail 'an edge is still there'; fi
seen 'and leaves nothing running'

#!/usr/bin/env bash
# Validators that are not ours (delv of BIND; DNSViz, where it is installed) judge a running dns-server: the trust anchor is what `weir dnssec ds`
# prints. Starts an operator and a dns-server of its own, on loopback; needs delv and dig.
set -euo pipefail
cd "$(dirname "$0")/../.."

zone=cdn.example.net
address=127.0.9.53
port=5353
work=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT

cp -r test/dnssec/folder "$work/folder"
node=node_modules/.bin/node
$node operator/main.ts --folder "$work/folder" --state "$work/state" --listen "$address:8700" >"$work/operator.log" 2>&1 &
pids+=($!)
until [ -s "$work/state/secrets/$zone.keys.json" ]; do sleep 0.2; done
$node dns-server/main.ts --name dns-1 --operator "https://$address:8700" --join-token-file "$work/state/token" \
  --operator-ca "$work/state/trust/ca.pem" --state "$work/state/dns-server" \
  --listen "$address:$port" --admin "$address:8702" >"$work/dns-server.log" 2>&1 &
pids+=($!)
$node edge/main.ts --node zz-1 --operator "https://$address:8700" --join-token-file "$work/state/token" --operator-ca "$work/state/trust/ca.pem" \
  --state "$work/state/edges/zz-1" --listen 127.0.9.1:8080 --admin 127.0.9.1:8701 \
  --memory 16MiB --disk 64MiB >"$work/edge.log" 2>&1 &
pids+=($!)

# Signed, and with an edge that serves the domain.
answers() { dig @$address -p $port "$@" +short +tries=1 +time=1; }
deadline=$((SECONDS + 60))
until answers $zone DNSKEY | grep -q '^257 3 13' && answers video.demo.$zone A | grep -q '^127.0.9.1'; do
  [ $SECONDS -lt $deadline ] || { cat "$work"/*.log; echo 'the dns-server does not answer'; exit 1; }
  sleep 0.3
done

read -r tag algorithm digest_type digest < <($node cli/weir.mjs dnssec ds $zone --state "$work/state" | cut -d' ' -f4-)
echo "trust-anchors { $zone. static-ds $tag $algorithm $digest_type \"$digest\"; };" >"$work/anchor"

failed=0
# Each case: name, type, and what delv has to say.
check() {
  local said
  said=$(delv @$address -p $port -a "$work/anchor" +root=$zone "$1" "$2" 2>&1) || true
  if grep -q -- "$3" <<<"$said" && ! grep -q 'unsigned answer' <<<"$said"; then
    printf 'ok    %-28s %-8s %s\n' "$1" "$2" "$3"
  else
    printf 'FAIL  %-28s %-8s wanted: %s\n%s\n' "$1" "$2" "$3" "$said"
    failed=1
  fi
}

check $zone SOA '; fully validated'
check $zone NS '; fully validated'
check $zone DNSKEY '; fully validated'
check $zone CDS '; fully validated'
check www.$zone A '; fully validated'
check alias.$zone A '; fully validated'
check any.wild.$zone TXT '; fully validated'
check www.old.$zone A '; fully validated'
check video.demo.$zone A '; fully validated'
check zz-1.node.$zone A '; fully validated'
check $zone ANY '; fully validated'
check www.$zone TXT 'negative response, fully validated'
check any.wild.$zone A 'negative response, fully validated'
check demo.$zone A 'negative response, fully validated'
check nowhere.$zone A 'negative response, fully validated'
check a.b.nowhere.$zone MX 'negative response, fully validated'
check nowhere-to.$zone A 'fully validated'
check video.demo.$zone TXT 'negative response, fully validated'
check sub.$zone DS 'negative response, fully validated'
check plain.$zone DS 'negative response, fully validated'

# Nobody signs there, and that is proven: an answer, and no doubt of it.
if delv @$address -p $port -a "$work/anchor" +root=$zone www.plain.$zone A 2>&1 | grep -q '^www.*192.0.2.9'; then
  printf 'ok    %-28s %-8s %s\n' www.plain.$zone A 'unsigned'
else
  printf 'FAIL  %-28s %-8s %s\n' www.plain.$zone A 'is bogus'
  failed=1
fi

# A second opinion, by other code: DNSViz marks what is valid with [.], and what is not with [!], [-] or [?].
if command -v dnsviz >/dev/null; then
  dig @$address -p $port $zone DNSKEY +noall +answer >"$work/key"
  dnsviz probe -A -x "$zone+:ns1.$zone=$address:$port" -R SOA,A,AAAA,TXT \
    $zone www.$zone alias.$zone any.wild.$zone www.old.$zone video.demo.$zone demo.$zone nowhere.$zone \
    >"$work/probe.json" 2>"$work/probe.log"
  dnsviz print -t "$work/key" <"$work/probe.json" >"$work/dnsviz.txt"
  if grep -q "^$zone \[\.\]" "$work/dnsviz.txt" && ! grep -nE '\[[!?-]\]|^ *[EW]:' "$work/dnsviz.txt"; then
    printf 'ok    dnsviz: %s valid signatures and proofs\n' "$(grep -c '\[\.\]' "$work/dnsviz.txt")"
  else
    cat "$work/dnsviz.txt"
    failed=1
  fi
fi
exit $failed

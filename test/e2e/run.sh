#!/usr/bin/env bash
# `npm run test:e2e`: a day with pods that really run. Makes a LAN of network namespaces, runs test/e2e/ in it as a
# client, and takes all away again. Needs root on Linux; installs what it needs on Debian. Arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo 'test:e2e needs root: it makes network namespaces and runs containers' >&2; exit 2; }
tools=(containerd runc buildah iptables conntrack ip dig curl nsenter)
if ! command -v "${tools[@]}" >/dev/null || [ ! -x /usr/lib/cni/portmap ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    containerd runc buildah containernetworking-plugins iptables conntrack iproute2 bind9-dnsutils curl util-linux
fi

export PATH="$PWD/node_modules/.bin:$PATH" WEIR_E2E=1
export WEIR_E2E_NETWORK=weir-$$ WEIR_E2E_FOLDER
WEIR_E2E_FOLDER=$(mktemp -d)
tidy() {
  bash test/cluster/node.sh network-down "$WEIR_E2E_NETWORK"
  rm -rf --one-file-system "$WEIR_E2E_FOLDER"
}
trap tidy EXIT
node test/e2e/prepare.ts "$WEIR_E2E_FOLDER"
bash test/cluster/node.sh network-up "$WEIR_E2E_NETWORK" bj la
nsenter --net="/run/netns/$WEIR_E2E_NETWORK-lan" vitest run --no-file-parallelism "${@:-test/e2e}"

#!/usr/bin/env bash
# `npm run test:e2e`: a day with pods that really run. Makes a LAN of network namespaces, runs test/e2e/ in it as a
# client, and takes all away again. Needs root on Linux; installs what it needs on Debian. Arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=(containerd runc buildah iptables conntrack ip dig curl nsenter)
has_tools() {
  for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || return; done
  [ -x /usr/lib/cni/portmap ]
}

# With version 1 each controller has groups of its own, and one of them tells of all; with version 2 the root must give its
# controllers on, which it can't in most containers.
may_make_groups() {
  local group=/sys/fs/cgroup
  if [ -d $group/memory ]; then group=$group/memory
  else for controller in cpu memory pids; do grep -qw "$controller" $group/cgroup.subtree_control 2>/dev/null || return; done
  fi
  mkdir "$group/weir-test-$$" 2>/dev/null && rmdir "$group/weir-test-$$"
}

# Prints why it can't be done on this machine; nothing where it can.
hindrance() {
  if [ "$(uname -s)" != Linux ]; then echo 'it needs Linux'
  elif [ "$(id -u)" != 0 ]; then echo 'it needs root: it makes network namespaces and runs containers'
  elif ! has_tools && ! command -v apt-get >/dev/null; then echo "it needs ${tools[*]} and CNI plugins"
  elif ! unshare --net --mount true 2>/dev/null; then echo 'no namespaces can be made here'
  elif ! may_make_groups; then echo 'no cgroups can be made here'
  fi
}

hindrance=$(hindrance)
if [ "${1:-}" = --hindrance ]; then echo "$hindrance"; exit; fi
[ -z "$hindrance" ] || { echo "test:e2e: $hindrance" >&2; exit 2; }
if ! has_tools; then
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

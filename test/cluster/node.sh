#!/usr/bin/env bash
# Adds a node to a test cluster: containerd, kubelet, kube-proxy and cluster DNS, in a network namespace of their own, so
# that pods really run. Needs root on Linux and Debian's containerd, runc, containernetworking-plugins, iptables,
# conntrack and iproute2. Nothing of the machine's own network is touched.
#
#   node.sh network-up NAME MACHINE…     one LAN: namespace NAME-lan (10.1.0.254, where clients stand), NAME-node
#                                        (10.1.0.1), and NAME-MACHINE (10.1.0.2 and on) for machines outside the cluster
#   node.sh network-down NAME
#   node.sh run NAME DIR IMAGE.tar…      the node, in the foreground until SIGTERM; DIR holds
#       control-plane, cluster-dns       the programs (built from control-plane/ and cluster-dns/)
#       kubeconfig, kubelet.kubeconfig   of an admin, and of the user system:node:$NODE_NAME
#     and gets its logs. Prints `node is up` when the kubelet has registered and cluster DNS answers.
set -euo pipefail

NODE_NAME=${NODE_NAME:-zz-1}
NODE_ADDRESS=10.1.0.1
CLUSTER_DNS=10.0.0.10 # of the API server's service-cluster-ip-range, 10.0.0.0/24
POD_NETWORK=10.244.0.0/24

network_up() {
  local name=$1 last=0
  shift
  local lan="ip -n $name-lan"
  ip netns add "$name-lan"
  $lan link set lo up
  $lan link add br0 type bridge
  $lan link set br0 up
  $lan addr add 10.1.0.254/24 dev br0
  for machine in node "$@"; do
    last=$((last + 1))
    ip netns add "$name-$machine"
    ip -n "$name-$machine" link set lo up
    ip link add "m$last" netns "$name-lan" type veth peer name eth0 netns "$name-$machine"
    $lan link set "m$last" master br0 up
    ip -n "$name-$machine" addr add "10.1.0.$last/24" dev eth0
    ip -n "$name-$machine" link set eth0 up
    ip -n "$name-$machine" route add default via 10.1.0.254
  done
}

network_down() {
  for namespace in $(ip netns list | awk '{ print $1 }' | grep "^$1-" || true); do ip netns del "$namespace"; done
}

write_settings() {
  local dir=$1
  mkdir -p "$dir/cni"
  cat >"$dir/containerd.toml" <<EOF
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
[grpc]
  address = "$dir/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "weir.dev/pause:test"
  # Without CAP_SYS_RESOURCE runc fails where it would lower a pod's score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
EOF
  cat >"$dir/cni/10-pods.conflist" <<EOF
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": true,
    "ipam": { "type": "host-local", "dataDir": "$dir/cni-state", "ranges": [[{ "subnet": "$POD_NETWORK" }]],
              "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
EOF
  # Anyone inside the namespace may ask the kubelet for logs; nothing outside it reaches the port.
  cat >"$dir/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$dir/containerd.sock
address: $NODE_ADDRESS
authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }
cgroupDriver: cgroupfs
cgroupRoot: /weir-test
enforceNodeAllocatable: []
failSwapOn: false
clusterDNS: [$CLUSTER_DNS]
clusterDomain: cluster.local
resolvConf: $dir/resolv.conf
# The disk is the machine's, and full or not is not this cluster's business.
evictionHard: { memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%" }
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 2s
EOF
  : >"$dir/resolv.conf"
  cat >"$dir/Corefile" <<EOF
.:53 {
  bind $CLUSTER_DNS
  errors
  kubernetes cluster.local {
    kubeconfig $dir/kubeconfig
  }
}
EOF
}

# start DIR NAMESPACE LOG COMMAND…: in the background, in the namespace. `ip netns exec` would mount another /sys, without
# the cgroups that a kubelet needs.
started=()
start() {
  local dir=$1 namespace=$2 log=$3
  shift 3
  nsenter --net="/run/netns/$namespace" "$@" >>"$dir/$log.log" 2>&1 &
  started+=($!)
}

stop_all() {
  local name=$1 dir=$2 ctr="ctr -a $2/containerd.sock -n k8s.io"
  trap - EXIT TERM INT
  # The kubelet first: it would start again what is ended next.
  kill "${started[@]:1}" 2>/dev/null || true
  for task in $($ctr tasks ls -q 2>/dev/null); do $ctr tasks kill -s KILL "$task" >/dev/null 2>&1 || true; done
  for _ in $(seq 50); do
    for task in $($ctr tasks ls -q 2>/dev/null); do $ctr tasks delete -f "$task" >/dev/null 2>&1 || true; done
    [ -z "$($ctr tasks ls -q 2>/dev/null)" ] && break
    sleep 0.1
  done
  kill "${started[0]}" 2>/dev/null || true
  wait || true
  awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
  # Each pod that was killed with its containers left one.
  pod_namespaces | grep -vxF "${found:-none}" | xargs -r -n 1 ip netns del
  # And rules: the next node would send what comes to its hostPorts to pods that are gone.
  local inside="nsenter --net=/run/netns/$name-node"
  for table in nat filter mangle; do $inside iptables -t $table -F && $inside iptables -t $table -X || true; done
  $inside conntrack -F >/dev/null 2>&1 || true
  ip -n "$name-node" link del cni0 2>/dev/null || true
  rm -rf --one-file-system "$dir/containerd" "$dir/cni-state" "$dir/kubelet"
  find /sys/fs/cgroup -depth -type d -path '*/weir-test*' -exec rmdir {} + 2>/dev/null || true
}

pod_namespaces() { ip netns list | awk '/^cni-/ { print $1 }'; }

until_true() {
  for _ in $(seq 600); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "gave up waiting for: $*" >&2
  return 1
}

run() {
  local name=$1 dir=$2
  shift 2
  write_settings "$dir"
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then mkdir -p /sys/fs/cgroup/weir-test
  else mkdir -p /sys/fs/cgroup/{cpu,cpuacct,cpuset,memory,devices,freezer,blkio,pids,systemd}/weir-test 2>/dev/null || true
  fi
  found=$(pod_namespaces)
  trap 'stop_all "$name" "$dir"' EXIT
  trap 'exit 0' TERM INT
  start "$dir" "$name-node" containerd containerd -c "$dir/containerd.toml"
  until_true ctr -a "$dir/containerd.sock" version
  for image in "$@"; do ctr -a "$dir/containerd.sock" -n k8s.io image import "$image" >>"$dir/images.log"; done
  ip -n "$name-node" addr replace "$CLUSTER_DNS/32" dev lo
  start "$dir" "$name-node" cluster-dns "$dir/cluster-dns" -conf "$dir/Corefile"
  start "$dir" "$name-node" kubelet "$dir/control-plane" kubelet "--config=$dir/kubelet.yaml" \
    "--kubeconfig=$dir/kubelet.kubeconfig" "--hostname-override=$NODE_NAME" "--node-ip=$NODE_ADDRESS" \
    "--root-dir=$dir/kubelet" "--cert-dir=$dir/kubelet-certs"
  start "$dir" "$name-node" kube-proxy "$dir/control-plane" kube-proxy "--kubeconfig=$dir/kubeconfig" \
    "--hostname-override=$NODE_NAME" --proxy-mode=iptables "--cluster-cidr=$POD_NETWORK" \
    --conntrack-max-per-core=0 --conntrack-min=0
  until_true nsenter --net="/run/netns/$name-node" dig +short +timeout=1 +tries=1 "@$CLUSTER_DNS" kubernetes.default.svc.cluster.local
  until_true test -s "$dir/kubelet-certs/kubelet.crt"
  echo 'node is up'
  wait "${started[2]}"
}

case ${1:-} in
  network-up) shift && network_up "$@" ;;
  network-down) network_down "$2" ;;
  run) shift && run "$@" ;;
  *) sed -n '2,/^set/{/^#/p}' "$0" >&2 && exit 2 ;;
esac

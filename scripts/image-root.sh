#!/usr/bin/env bash
# The root file system of Weir's image in a folder: Node and the libraries that it is linked with, the certificates of
# public authorities, a user, and the bundle. The Dockerfile and the test image (test/cluster/image.sh) both take it.
#
#   image-root.sh DIST ROOT     DIST: what `npm run build` made; run where node_modules is installed
set -euo pipefail
dist=$1 root=$2

node=$(readlink -f node_modules/node/bin/node)
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"
cp "$node" "$root/usr/bin/node"
mapfile -t libraries < <(ldd "$node" | grep -o '/[^ ]*')
cp --parents -L "${libraries[@]}" "$root"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'weir:x:65532:65532::/:/sbin/nologin\n' >"$root/etc/passwd"
printf 'weir:x:65532:\n' >"$root/etc/group"
cp -r "$dist" "$root/weir"

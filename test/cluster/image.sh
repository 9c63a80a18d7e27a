#!/usr/bin/env bash
# Builds Weir's image without a registry, as the Dockerfile does with one: Node and the libraries that it is linked with,
# certificates of public authorities, and the bundled programs, on an empty root. Needs root and Debian's buildah.
#
#   image.sh weir DIST OUT.tar        DIST: what `npm run build` made
#   image.sh pause PROGRAM OUT.tar    what holds a pod's namespaces
set -euo pipefail
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

# shellcheck disable=SC2046 # ldd's paths have no spaces
copy_node() {
  local root=$1 node
  node=$(readlink -f node_modules/node/bin/node)
  mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"
  chmod 1777 "$root/tmp"
  cp "$node" "$root/usr/bin/node"
  cp --parents -L $(ldd "$node" | grep -o '/[^ ]*') "$root"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  printf 'weir:x:65532:65532::/:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'weir:x:65532:\n' >"$root/etc/group"
}

work=$(mktemp -d)
container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT

case ${1:-} in
  weir)
    copy_node "$work"
    cp -r "$2" "$work/weir"
    buildah copy -q "$container" "$work" / >/dev/null
    buildah config --user 65532:65532 --workingdir /weir --env NODE_ENV=production \
      --entrypoint '["/usr/bin/node"]' --cmd bin/weir "$container"
    ;;
  pause)
    buildah copy -q "$container" "$2" /pause >/dev/null
    buildah config --user 65532:65532 --entrypoint '["/pause"]' "$container"
    ;;
  *) sed -n '2,/^set/{/^#/p}' "$0" >&2 && exit 2 ;;
esac
rm -f "$3"
buildah commit -q "$container" "oci-archive:$3:weir.dev/$1:test" >/dev/null

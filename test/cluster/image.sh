#!/usr/bin/env bash
# Builds Weir's image without a registry, as the Dockerfile does with one: the same root, entry point and user. Needs
# root and Debian's buildah; run from the top of the project.
#
#   image.sh weir DIST OUT.tar        DIST: what `npm run build` made
#   image.sh pause PROGRAM OUT.tar    what holds a pod's namespaces
set -euo pipefail
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

work=$(mktemp -d)
container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null; rm -rf "$work"' EXIT

case ${1:-} in
  weir)
    bash scripts/image-root.sh "$2" "$work"
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

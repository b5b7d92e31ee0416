# Writes the node's images, unpacked as containerd has them, to standard output, for the next cluster's node to start with. It
# runs in the node, by `npm run up` once the platform is up, and disturbs nothing there: files are linked, not copied, and what
# has to be changed is changed in copies of containerd's two small databases, by a second containerd.
#
#   copy.sh BYTES DIGEST…    the images with these digests, as long as they take no more than BYTES
#
# Ends with 3 where they take more, and with 4 where containerd keeps layers in a way that this does not know.
set -euo pipefail
room=$1
shift
wanted=" $* "

root=/var/lib/containerd
layers=io.containerd.snapshotter.v1.overlayfs
blobs=io.containerd.content.v1.content
book=io.containerd.metadata.v1.bolt
[ -e "$root/$layers/metadata.db" ] && [ -e "$root/$book/meta.db" ] || exit 4

# On the same disk, because links don't reach further.
copy=/var/lib/platform-ops-images.copy
state=/run/platform-ops-images
socket=$state.sock
first=$(systemctl show --property MainPID --value containerd)
second=
finish() {
  kill -CONT "$first"
  [ -z "$second" ] || kill "$second" 2>/dev/null || true
  rm -rf "$copy" "$copy.toml" "$copy.log" "$state" "$socket" "$socket.ttrpc"
}
trap finish EXIT
rm -rf "$copy"
mkdir -p "$copy/$layers/snapshots" "$copy/$book"

# Two files that belong together, and that must not change while they are copied: some milliseconds.
kill -STOP "$first"
cp "$root/$layers/metadata.db" "$copy/$layers/"
cp "$root/$book/meta.db" "$copy/$book/"
kill -CONT "$first"

# What images consist of never changes once it is there. What running containers write to is theirs, and stays out.
written=$(sed -n "s|.*upperdir=[^ ,]*/$layers/snapshots/\([0-9]*\)/fs.*|\1|p" /proc/mounts)
for layer in "$root/$layers/snapshots"/*; do
  grep -qx "${layer##*/}" <<<"$written" || cp -al "$layer" "$copy/$layers/snapshots/"
done
mkdir "$copy/$blobs"
cp -al "$root/$blobs/blobs" "$copy/$blobs/"

cat >"$copy.toml" <<T
version = 2
root = "$copy"
state = "$state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
[grpc]
address = "$socket"
T
containerd --config "$copy.toml" >"$copy.log" 2>&1 &
second=$!
its=(ctr --address "$socket" --namespace k8s.io)
tries=0
until "${its[@]}" version >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || { tail -n 1 "$copy.log" >&2; exit 1; }
  sleep 0.1
done

# The containers of this node, and the images that are nobody's business in the next.
"${its[@]}" containers list --quiet | xargs --no-run-if-empty "${its[@]}" containers remove >/dev/null
"${its[@]}" snapshots list | awk 'NR > 1 && $NF != "Committed" { print $1 }' |
  xargs --no-run-if-empty "${its[@]}" snapshots remove >/dev/null
"${its[@]}" leases list --quiet | xargs --no-run-if-empty "${its[@]}" leases delete >/dev/null
# A layer that is unpacked is not needed packed as well, and would be half of the size.
"${its[@]}" content list | awk '/containerd.io\/uncompressed/ { print $1 }' |
  xargs --no-run-if-empty "${its[@]}" content remove >/dev/null
"${its[@]}" images list | awk 'NR > 1 { print $1, $3 }' | while read -r name digest; do
  case "$wanted" in *" $digest "*) ;; *) echo "$name" ;; esac
done | xargs --no-run-if-empty "${its[@]}" images remove >/dev/null
# Removing one in this way waits until everything that nothing refers to is gone.
some=$("${its[@]}" images list --quiet | sed -n 1p)
"${its[@]}" images tag --force "$some" platform-ops.invalid/last >/dev/null
"${its[@]}" images remove --sync platform-ops.invalid/last >/dev/null
kill "$second"
wait "$second" || true
second=

# What Kubernetes itself runs here comes first, so that the next node can boot with it while the rest is still unpacked:
# `enough` marks where that begins. See restore.sh.
running=$(ctr --namespace k8s.io containers list --quiet 'labels."io.kubernetes.pod.namespace"==kube-system')
below=$(for container in $running; do
  sed -n "s|.*/k8s.io/$container/rootfs .*lowerdir=\([^ ,]*\).*|\1|p" /proc/mounts
done | tr : '\n' | sed -n 's|.*/\([0-9]*\)/fs$|\1|p')
soon=() later=()
for layer in "$copy/$layers/snapshots"/*; do
  number=${layer##*/}
  if grep -qx "$number" <<<"$below"; then soon+=("$layers/snapshots/$number"); else later+=("$layers/snapshots/$number"); fi
done
[ "${#soon[@]}" -gt 0 ] || { soon=("${later[@]}"); later=(); }
touch "$copy/enough"

find "$copy" -mindepth 1 -maxdepth 1 ! -name enough ! -name "$layers" ! -name "$blobs" ! -name "$book" -exec rm -rf {} +
[ "$(du --summarize --bytes "$copy" | cut -f 1)" -le "$room" ] || exit 3
tar --directory "$copy" --xattrs --xattrs-include='*' --create --file - --no-recursion . "$layers" "$layers/snapshots" \
  --recursion "$book" "$blobs" "$layers/metadata.db" "${soon[@]}" enough "${later[@]}"

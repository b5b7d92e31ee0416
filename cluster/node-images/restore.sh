# Gives a new node the images of an earlier one, unpacked, before its containerd starts for the first time; restore.conf has it
# called. Where that fails, the node starts as it came from kind, and the images are fetched as usual.
set -eu
restored=/var/lib/platform-ops-images
[ ! -e "$restored" ] || exit 0

here=$(dirname "$0")
new=/var/lib/containerd.new
rm -rf "$new"
mkdir -m 711 "$new"
# The attributes tell overlayfs which folders hide those below them.
if tar --directory "$new" --xattrs --xattrs-include='*' --preserve-permissions --extract --file "$here"/images-*.tar; then
  rm -rf /var/lib/containerd
  mv "$new" /var/lib/containerd
  touch "$restored"
else
  rm -rf "$new"
fi

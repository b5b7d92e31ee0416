# Copies HEAD, packed-refs and, of a shallow clone, shallow from /git, the clone's Git folder, to /refs, which the node sees as
# the repository.
#
# It runs in a container beside the node: the node must not see the Git folder, which has tokens in its config. The files
# can't be mounted, since Git replaces them by renaming, and a mount goes on showing the old one. The folders objects and refs
# are mounted into the node, so a plain commit does not pass through here.
#
# It looks five times a second, and starts no process where nothing changed.
git=${1:-/git} refs=${2:-/refs}
umask 022
# Nothing is ever written to it, so that reading from it waits.
exec {never}<> <(:)
told= held= ends=unknown

# Git replaces the file: as long as it is held open here, no other one gets its inode.
same_packed() {
  if [[ -e $git/packed-refs ]]; then [[ $held && /proc/self/fd/$held -ef $git/packed-refs ]]; else [[ ! $held ]]; fi
}

while :; do
  # Where the history of a shallow clone ends, which every fetch may move. Before the refs: they may lead there.
  shallow=
  { read -r -d '' shallow <"$git/shallow"; } 2>/dev/null
  if [[ $shallow != "$ends" ]]; then
    if [[ $shallow ]]; then
      printf '%s\n' "$shallow" >"$refs/.shallow" && mv "$refs/.shallow" "$refs/shallow"
    else
      rm -f "$refs/shallow"
    fi && ends=$shallow
  fi
  head= tip=
  { read -r head <"$git/HEAD"; } 2>/dev/null
  ref=${head#ref: }
  { read -r tip <"$git/$ref"; } 2>/dev/null
  # One branch may lead to another.
  [[ $tip == *' '* ]] && tip=
  if [[ $head ]] && { [[ "$head $tip" != "$told" ]] || ! same_packed; }; then
    if [[ $held ]]; then exec {held}<&-; held=; fi
    if [[ -e $git/packed-refs ]]; then exec {held}<"$git/packed-refs"; fi
    # With the branch that is checked out: when Git packs it, its file is gone before this sees the new packed-refs.
    awk -v ref="$ref" -v tip="$tip" 'BEGIN { if (tip) print tip, ref } $1 != "#" && !(tip && $2 == ref)' \
      ${held:+/proc/self/fd/$held} </dev/null >"$refs/.packed-refs" &&
      mv "$refs/.packed-refs" "$refs/packed-refs" &&
      printf '%s\n' "$head" >"$refs/.HEAD" && mv "$refs/.HEAD" "$refs/HEAD" &&
      told="$head $tip"
  fi
  read -r -t 0.2 -u "$never"
done

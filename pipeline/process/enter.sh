# sh -c <this> enter ROOT DIR [ro|rw FOLDER]... -- PROGRAM ARG...
# Runs a program in ROOT as its /, in a mount namespace that unshare has made for it: all mounts vanish with its last
# process. ROOT itself is only read: what the program writes there goes to a tmpfs. The tmpfs is mounted on ROOT/tmp, the
# one folder that every root has and that needs nothing of what it hides; an overlay does not see mounts in its lower folder.
set -e
trap 'exit 125' EXIT
root=$1 dir=$2
shift 2
tmp=$root/tmp
mount -t tmpfs -o mode=0755 livesplice "$tmp"
mkdir -m 0755 "$tmp/upper" "$tmp/work" "$tmp/root"
mount -t overlay -o "lowerdir=$root,upperdir=$tmp/upper,workdir=$tmp/work" livesplice "$tmp/root"
for d in /dev /proc; do
	mkdir -p "$tmp/root$d"
	mount --rbind "$d" "$tmp/root$d"
done
while [ "$1" != -- ]; do
	mkdir -p "$tmp/root$2"
	mount --rbind -o "$1" "$2" "$tmp/root$2"
	shift 2
done
shift
exec chroot "$tmp/root" env -C "$dir" "$@"

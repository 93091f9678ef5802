# Makes a place without any privilege, and runs the rest of the command line there: no user namespaces, no new
# privileges, no subordinate ids, a home that cannot be written, a temporary folder from which nothing can be executed,
# and a cache on a file system without extended attributes. Needs no privilege itself: it is started in namespaces of
# its own (see test_no_privilege.py), whose last one it closes.
set -eu
home=$1 cache=$2 temporary=$3
shift 3
echo 0 >/proc/sys/user/max_user_namespaces
mount --bind "$home" "$home"
mount -o remount,bind,ro "$home"
mount -t tmpfs -o noexec,nosuid,nodev none "$temporary"
mount -t tmpfs -o nosuid,nodev none "$cache"
for file in /etc/subuid /etc/subgid; do
  if [ -e "$file" ]; then mount --bind /dev/null "$file"; fi
done
exec setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all "$@"

# SPDX-License-Identifier: MIT
# What zsh and mksh have in common, at work: called with an empty folder, in the guest and on this machine.
cd "$1" || exit 9
for i in 3 1 2; do echo $i; done | /bin/busybox sort | while read n; do echo "got $n"; done
echo "$(echo inner | /bin/busybox tr a-z A-Z) $((6 * 7)) ${#PWD}" | /bin/busybox wc -l
/bin/busybox cat <<HERE
here $((1 + 1))
HERE
(exit 3); echo "status $?"
trap 'echo caught' USR1; kill -USR1 $$; trap 'echo leaving' EXIT
/bin/busybox sleep 0.05 & wait $!; echo "waited $?"
/bin/busybox sh -c 'kill $$'; echo "killed $?"
f() { typeset local=$1; shift; echo "$local $# $*"; }
f a "b c" d; set -- x y z; echo "$# ${2}"
echo text >file; echo more >>file; exec 3<file; read -u3 line; echo "$line"; exec 3<&-
[[ -f file && ! -e none && abc == a* ]] && echo matched
case $(/bin/busybox wc -l <file) in *2) echo two lines ;; esac
/bin/busybox mkfifo pipe; (echo through >pipe) & /bin/busybox cat pipe; wait
/bin/busybox sh -c 'kill -9 $$' 2>/dev/null; echo "status $?"
v=abc.def.ghi; echo "${v%.*} ${v##*.}"; echo *e | /bin/busybox wc -w
ulimit -n 50; ulimit -n; umask 027; umask; echo x >masked; /bin/busybox stat -c %a masked
/bin/busybox true | /bin/busybox false; echo "pipe $?"; { echo grouped; echo again; } | /bin/busybox tail -n 1
printf '%s-%03d\n' word 7; eval 'echo "evaluated $1"'
echo done; exit 5

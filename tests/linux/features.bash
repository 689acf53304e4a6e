#!/bin/bash
# SPDX-License-Identifier: MIT
# Every feature of the shell that asks something of the kernel, and those that a script lives by. What it prints is the same everywhere:
# no ids, no times. External commands are busybox's. Called with an empty folder to work in.
export LC_ALL=C PATH=/nowhere
shopt -s expand_aliases
for name in cat sort head tail wc tr sed grep sleep tee rm mkdir ls mv ln readlink stat seq tac cut uniq awk touch chmod mkfifo cmp true \
    false env dd find xargs expr cp; do
    alias $name="/bin/busybox $name"
done
cd "$1" || exit 9
heading() { printf '== %s\n' "$*"; }

heading arithmetic
echo $((6 * 7)) $((2 ** 20)) $((0x1f & 017)) $((7 / 2 * -1)) $((5 > 3 ? 10 : 20))
i=5; ((i += 3, i *= 2)); echo $i; let "j = i << 2"; echo $j
for ((k = 0; k < 5; k++)); do printf '%d ' $((k * k)); done; echo

heading strings and expansion
text="The quick brown fox"
echo "${text#* }" "${text##* }" "${text%% *}" "${text/quick/slow}" "${#text}" "${text:4:5}" "${text^^}" "${text,,}"
echo {a,b}{1..3} {01..05} "${unset:-default}" "${text:+set}"
printf '%s|%5d|%-5s|%x|%q\n' word 42 left 255 'needs quoting'
printf '%(%Y)T\n' 0
touch a1 a2 b1; echo a* [ab]1 ?2 *; shopt -s nullglob; echo none*; shopt -u nullglob
case $text in The*fox) echo matched ;; *) echo not ;; esac
[[ $text =~ (q[a-z]+)\ (b[a-z]+) ]] && echo "${BASH_REMATCH[1]}-${BASH_REMATCH[2]}"

heading arrays
list=(one "two words" three); list+=(four); list[7]=seven
echo "${#list[@]}" "${!list[@]}" "${list[@]:1:2}" "${list[-1]}"
unset 'list[0]'; printf '<%s>' "${list[@]}"; echo
declare -A map=([red]=1 [green]=2); map[blue]=3
for key in $(printf '%s\n' "${!map[@]}" | sort); do echo "$key=${map[$key]}"; done
mapfile -t lines < <(seq 1 4); echo "${lines[@]}"

heading functions
fact() { local n=$1; if ((n < 2)); then echo 1; else echo $((n * $(fact $((n - 1))))); fi; }
fact 7
changes() { outer=changed; local inner=hidden; return 3; }
outer=before; changes; echo $? $outer "${inner-unset}"
recurse() { [ $1 -gt 0 ] && { echo -n "$1 "; recurse $(($1 - 1)); }; }; recurse 5; echo

heading pipes
for i in 1 2 3; do echo $i; done | tac
seq 1 100 | tr '\n' ' ' | sed 's/ $//' | wc -w | tr -d ' '
echo a | { read x; echo "got $x"; } | cat | cat | cat
false | true; echo "${PIPESTATUS[@]}"; set -o pipefail; false | true; echo $?; set +o pipefail
seq 100000 | head -n 1
yes() { while :; do echo y || return; done; }; yes 2>/dev/null | head -n 2
echo out 2>&1 | tr a-z A-Z; { echo err >&2; } 2>&1 | tr a-z A-Z; echo both |& cat

heading redirection
echo first >file; echo second >>file; cat <file; cat file 2>&1 >/dev/null; cat missing 2>/dev/null || echo "status $?"
exec 5>fives 6<file; echo five >&5; read -u 6 line; echo "$line"; exec 5>&- 6<&-; cat fives
{ echo to out; echo to err >&2; } >o 2>e; cat e o
set -o noclobber; { echo no >file; } 2>/dev/null || echo kept; echo yes >|file; set +o noclobber; cat file
cat <<END_HERE
text is "$text" and $((1 + 1)) and $(echo command)
END_HERE
cat <<'END_HERE' | sed 's/^/> /'
not $expanded `at all`
END_HERE
cat <<-END_HERE
	without tabs
	END_HERE
cat <<<"a here-string of $text"
while read -r a b; do echo "$b,$a"; done <<<$'1 2\n3 4'
exec 7<>both; echo written >&7; exec 7>&-; cat both; exec 8>&1; echo copy >&8; exec 8>&-
: >empty; [ -s empty ] || echo empty; [ -e file ] && [ ! -d file ] && [ -r file ] && echo exists

heading command and process substitution
echo "$(echo nested $(echo deeper "$(echo deepest)"))" "`echo old`"
cat <(echo one) <(echo two); echo through > >(tr a-z A-Z >upper); while [ ! -s upper ]; do sleep 0.01; done; cat upper
cmp <(seq 5) <(seq 5) && echo same; content=$(<file); echo "$content"
echo "status of \$(): $(exit 4; echo never)$?"; x=$(exit 5); echo $?

heading background jobs
sleep 0.05 & pid=$!; wait $pid; echo "waited $?"
(exit 7) & wait $!; echo $?
for i in 3 1 2; do (sleep 0.0$i; exit $i) & pids+=($!); done; for p in "${pids[@]}"; do wait $p; echo -n "$? "; done; echo
{ sleep 10 & } 2>/dev/null; kill $!; wait $! 2>/dev/null; echo $?
sleep 10 & kill -KILL $!; wait $! 2>/dev/null; echo $?
(echo from a subshell; cd /; x=lost) ; echo "${x-}" "$(basename() { echo "${1##*/}"; }; basename "$PWD" | wc -l | tr -d ' ')"
sleep 10 & sleep 10 & jobs | sed 's/ *$//'; kill %1 %2; wait 2>/dev/null; jobs >/dev/null

heading traps and signals
trap 'echo caught USR1' USR1; kill -USR1 $BASHPID; trap - USR1
(trap 'echo leaving with $?' EXIT; exit 6); echo $?
(trap '' TERM; kill -TERM $BASHPID; echo survived)
(kill -TERM $BASHPID; echo never) 2>/dev/null; echo $?
(trap 'echo interrupted; exit 9' INT; kill -INT $BASHPID; echo never); echo $?
trap 'echo an error' ERR; false; trap - ERR
(trap 'echo child is done' CHLD; set -m; sleep 0.01 & wait) 2>/dev/null | head -n 1
{ (trap 'echo woken; exit 4' USR2; echo $BASHPID >worker; echo ready; while :; do sleep 0.01; done) & wait $!; echo "worker $?"; } | {
    read -r word; echo "$word"; kill -USR2 $(<worker); cat; }

heading coproc, read, select
coproc UPPER { while read -r line; do echo "${line^^}"; done; }
echo shout >&"${UPPER[1]}"; read -r reply <&"${UPPER[0]}"; echo "$reply"
exec {fd}>&"${UPPER[1]}"; exec {fd}>&-; eval "exec ${UPPER[1]}>&-"; wait $UPPER_PID; echo "coproc $?"
printf 'a:b:c\n' | { IFS=: read -r p q r; echo "$r$q$p"; }
printf 'abcdef' | { read -r -n 3 three; echo "$three"; }; printf 'x,y' | { read -r -d , part; echo "$part"; }
read -r -t 0.05 never <> <(sleep 0.2) ; [ $? -gt 128 ] && echo timed out
PS3='? '; select choice in red green; do echo "chose $choice $REPLY"; break; done <<<2 2>/dev/null
getopts_test() { while getopts 'ab:c' o; do echo "$o ${OPTARG-}"; done; shift $((OPTIND - 1)); echo "rest $*"; }; getopts_test -a -b value -c rest of it

heading exec and environment
VARIABLE=value /bin/busybox env | grep ^VARIABLE; (exec /bin/busybox echo replaced); env -i /bin/busybox env | wc -l | tr -d ' '
printf '#!/bin/busybox sh\necho script "$0" "$@"\n' >script; chmod 755 script; ./script x 'y z'
printf 'echo no interpreter: $1\n' >plain; chmod 755 plain; ./plain arg
./missing 2>/dev/null; echo $?; ./file 2>/dev/null; echo $?; (ulimit -n 20; ulimit -n); umask 027; touch masked; stat -c %a masked; umask 022
command -v heading; type -t cd; hash -r; eval 'echo evaluated $((3 * 3))'; . /dev/stdin <<<'echo sourced'
set -- p q r; echo $# $3; shift 2; echo "$@"; set -e; (set +e; false; echo on); set +e; time_is() { :; }; { time time_is; } 2>&1 | grep -c real

heading files
mkdir -p d/e; echo x >d/e/f; ln -s e d/link; cat d/link/f; readlink d/link; mv d/e/f d/g; ls d; ln d/g d/h; stat -c %h d/g; find d | sort
mkfifo pipe; cat pipe & echo "through a fifo" >pipe; wait; dd if=/dev/zero bs=1024 count=64 2>/dev/null | wc -c | tr -d ' '
echo abc | tee t1 t2 | tr abc xyz; cmp t1 t2 && echo equal; seq 1 20 | xargs -n 7 echo; rm -r d; ls -d d 2>/dev/null || echo gone
seq 1 1000 | awk '{ s += $1 } END { print s }'; printf '3\n1\n2\n1\n' | sort -n | uniq -c | sed 's/^ *//'

heading the end
trap 'echo good bye' EXIT
(exit 3); exit $((40 + $?))

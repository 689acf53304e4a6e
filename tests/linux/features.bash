#!/bin/bash
# SPDX-License-Identifier: MIT
# Every feature of the shell that asks something of the kernel, and those that a script lives by. What it prints is the same everywhere:
# no ids, no times. External commands are busybox's. Called with an empty folder to work in.
export LC_ALL=C PATH=/nowhere
shopt -s expand_aliases
for name in cat sort head tail wc tr sed grep sleep tee rm mkdir ls mv ln readlink stat seq tac cut uniq awk touch chmod mkfifo cmp true \
    false env dd diff find xargs expr cp rmdir; do
    alias $name="/bin/busybox $name"
done
cd "$1" || exit 9
heading() { printf '== %s\n' "$*"; }

heading arithmetic
echo $((6 * 7)) $((2 ** 20)) $((0x1f & 017)) $((7 / 2 * -1)) $((5 > 3 ? 10 : 20))
i=5; ((i += 3, i *= 2)); echo $i; let "j = i << 2"; echo $j
for ((k = 0; k < 5; k++)); do printf '%d ' $((k * k)); done; echo

heading loops and conditions
n=0; until ((n >= 3)); do ((n++)); echo -n "$n "; done; while :; do ((n--)) || break; done; echo "$n"
for a in 1 2 3; do for b in 1 2 3; do ((b == 2)) && continue 2; ((a == 3)) && break 2; echo -n "$a$b "; done; done; echo
set -- one two; for word; do echo -n "$word "; done; for word in; do echo never; done; for word in "$@" last; do echo $word; done | tail -n 1; set --
case abc in a*) echo first ;;& *c) echo second ;& nothing) echo third ;; *) echo never ;; esac
if false; then echo never; elif ! true; then echo never; else echo other; fi; [[ a < b && ! 1 -gt 2 || -n "" ]] && echo holds
true && false || echo "or $?"; ! false; echo $?; { false; true; } && echo grouped; (true; false) || echo apart
[ 5 -ge 5 -a abc != abd ] && test -z "" -o -n "" && echo tested; (( 1 && 0 )) || echo zero

heading strings and expansion
text="The quick brown fox"
echo "${text#* }" "${text##* }" "${text%% *}" "${text/quick/slow}" "${#text}" "${text:4:5}" "${text^^}" "${text,,}"
echo {a,b}{1..3} {01..05} "${unset:-default}" "${text:+set}"
printf '%s|%5d|%-5s|%x|%q\n' word 42 left 255 'needs quoting'
printf '%(%Y)T\n' 0
touch a1 a2 b1; echo a* [ab]1 ?2 *; shopt -s nullglob; echo none*; shopt -u nullglob
case $text in The*fox) echo matched ;; *) echo not ;; esac
[[ $text =~ (q[a-z]+)\ (b[a-z]+) ]] && echo "${BASH_REMATCH[1]}-${BASH_REMATCH[2]}"

name=text; echo "${!name}" "${name@Q}" "${text@U}" "${text:(-3)}" "${text//[aeiou]/_}" "${text/#The/A}" "${text/%fox/dog}"
set -- 'a b' c; echo "$#:$*:${*:2}" "${@/#/<}"; (IFS=-; echo "$*"); echo "${1%% *}${2-none}${3-none}${new:=now}$new"; set --
(set -u; echo "$nobody_has_set_this") 2>/dev/null || echo unbound; (: "${nothing:?is missing}") 2>&1 | sed 's/.*nothing: //'
shopt -s extglob globstar; mkdir -p deep/er/est; touch deep/er/est/file
echo !(a*|script) @(a1|b1) +([ab])[0-9]; x=aaabbb; echo "${x##+(a)}" "${x/+(b)/B}"; shopt -u extglob
echo **/file deep/**; shopt -u globstar; rm -r deep
echo "$(HOME=/h; echo ~)" $'tab\tquote\'\x41\u00e9' "a\
b" 'single $x' "dou\"ble" \$x; printf -v made '%03d|%+d|%e' 7 8 9; echo "$made"; echo -e 'a\tb\c'; echo

heading arrays
list=(one "two words" three); list+=(four); list[7]=seven
echo "${#list[@]}" "${!list[@]}" "${list[@]:1:2}" "${list[-1]}"
unset 'list[0]'; printf '<%s>' "${list[@]}"; echo
declare -A map=([red]=1 [green]=2); map[blue]=3
for key in $(printf '%s\n' "${!map[@]}" | sort); do echo "$key=${map[$key]}"; done
mapfile -t lines < <(seq 1 4); echo "${lines[@]}"

declare -i number=5; number+=7; declare -u upper=shout; declare -l lower=QUIET; declare -r fixed=1; echo $number $upper $lower
(fixed=2) 2>/dev/null || echo read-only; declare -n alias_of=number; alias_of=9; echo $number; unset -n alias_of
copy=("${list[@]/#/-}"); echo "${copy[*]}" "${#copy[2]}"; copy=([3]=d [1]=b); copy+=(e); echo "${!copy[@]}=${copy[*]}"
readarray -d : -t fields < <(printf 'x:y y:z'); declare -p fields; [[ -v map[red] && ! -v map[black] ]] && echo keys

heading functions
fact() { local n=$1; if ((n < 2)); then echo 1; else echo $((n * $(fact $((n - 1))))); fi; }
fact 7
changes() { outer=changed; local inner=hidden; return 3; }
outer=before; changes; echo $? $outer "${inner-unset}"
recurse() { [ $1 -gt 0 ] && { echo -n "$1 "; recurse $(($1 - 1)); }; }; recurse 5; echo

outer() { inner() { echo "${FUNCNAME[*]}" "$#"; }; inner "$@" x; }; outer 1 2; declare -F outer; unset -f inner; inner 2>/dev/null || echo $?
add() { local -n result=$1; result=$(($2 + $3)); }; add sum 20 22; echo $sum; apply() { "$@"; }; apply printf '%s.' a b; echo
body() (cd /; exit 4); body; echo "$?:${PWD##*/}" | sed 's/:.*/:/'; type body | head -n 1

heading pipes
for i in 1 2 3; do echo $i; done | tac
seq 1 100 | tr '\n' ' ' | sed 's/ $//' | wc -w | tr -d ' '
echo a | { read x; echo "got $x"; } | cat | cat | cat
false | true; echo "${PIPESTATUS[@]}"; set -o pipefail; false | true; echo $?; set +o pipefail
seq 100000 | head -n 1
yes() { while :; do echo y || return; done; }; yes 2>/dev/null | head -n 2
echo out 2>&1 | tr a-z A-Z; { echo err >&2; } 2>&1 | tr a-z A-Z; echo both |& cat

{ echo 1; echo 2 >&2; echo 3; } 2>&1 >/dev/null | sed 's/^/err /'; (echo x; exit 3) | (cat; exit 4); echo "${PIPESTATUS[*]}"
shopt -s lastpipe; seq 3 | while read -r n; do last=$n; done; echo "last $last"; shopt -u lastpipe; ! true | false; echo $?
seq 20000 | sort -r -n | tail -n 2 | xargs echo; head -c 200000 /dev/zero | tr '\0' x | wc -c | tr -d ' '; : | cat; echo "nothing $?"
echo one | while read -r w; do echo "$w" | sed 's/one/two/'; done | cat; cat <(seq 3 | tac) - <<<end | tr '\n' ' '; echo

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

cat <<A; cat <<"B"; cat <<-C
first $((2 * 3))
A
second $((2 * 3)) \n
B
	third ${text%% *}
	C
while read -r line; do case $line in \#*) continue ;; esac; echo "line $line"; done <<LINES
# a comment
1
LINES
{ read -r one; read -r two; } <<<$'a\nb'; echo "$two$one"; wc -l < <(seq 7) | tr -d ' '; head -c 100000 /dev/zero >large; cat <<<"$(tr '\0' y <large)" | wc -c | tr -d ' '
echo to both &>all; echo more &>>all; cat all; (exec >inside; echo hidden); cat inside; exec 3>&1; { echo shown >&3; } >/dev/null; exec 3>&-
echo a >f1 >f2; wc -c f1 f2 | head -n 2; ls nothing >f1 2>&1 || echo "ls $?"; [ -s f1 ] && echo told; exec 9<file; read -r x <&9; exec 9<&-; { : <&9; } 2>/dev/null || echo closed

heading command and process substitution
echo "$(echo nested $(echo deeper "$(echo deepest)"))" "`echo old`"
cat <(echo one) <(echo two); echo through > >(tr a-z A-Z >upper); while [ ! -s upper ]; do sleep 0.01; done; cat upper
cmp <(seq 5) <(seq 5) && echo same; content=$(<file); echo "$content"
echo "status of \$(): $(exit 4; echo never)$?"; x=$(exit 5); echo $?

echo "$(cat <<<inside)" "$(for i in 1 2; do echo $i; done)" "$(echo a; echo b; echo; echo)" "$(<missing)" 2>/dev/null; diff <(seq 3) <(seq 2 4); echo $?
while read -r x; do echo "read $x"; done < <(printf 'p\nq\n'); tee >(sed 's/^/side /' >side) <<<tee >/dev/null; while [ ! -s side ]; do sleep 0.01; done; cat side
echo $(($(echo 4) + $(echo 5))) "$(printf '%s\n' "$(printf 'a\n\n')" x)" `echo \`echo inner\``; echo "$BASH_SUBSHELL$(echo $BASH_SUBSHELL$(echo $BASH_SUBSHELL))"

heading background jobs
sleep 0.05 & pid=$!; wait $pid; echo "waited $?"
(exit 7) & wait $!; echo $?
for i in 3 1 2; do (sleep 0.0$i; exit $i) & pids+=($!); done; for p in "${pids[@]}"; do wait $p; echo -n "$? "; done; echo
{ sleep 10 & } 2>/dev/null; kill $!; wait $! 2>/dev/null; echo $?
sleep 10 & kill -KILL $!; wait $! 2>/dev/null; echo $?
(echo from a subshell; cd /; x=lost) ; echo "${x-}" "$(basename() { echo "${1##*/}"; }; basename "$PWD" | wc -l | tr -d ' ')"
sleep 10 & sleep 10 & jobs | sed 's/ *$//'; kill %1 %2; wait 2>/dev/null; jobs >/dev/null

(for i in 1 2 3; do (exit $i) & done; total=0; while wait -n; [ $? != 127 ]; do ((total++)); done; echo "ended $total")
(sleep 0.01; exit 12) & wait -n $!; echo $?; wait 99999 2>/dev/null; echo $?
sleep 10 & disown; jobs; kill $!; (sleep 0.05; echo late >later) & wait; cat later; sleep 10 & sleep 10 & kill %- %+; wait 2>/dev/null; echo all

heading job control
set -m
sleep 100 & kill -STOP %1; wait %1 2>/dev/null; echo "stopped $?"; jobs | sed 's/ *$//'
bg %1 >out; sed 's/ *&$/ \&/' out; jobs -r | wc -l | tr -d ' '; kill -STOP %1; wait %1 2>/dev/null; kill -CONT %1; kill %1; wait %1 2>/dev/null; echo "ended $?"
/bin/busybox sh -c 'kill -STOP $$; exit 5' 2>/dev/null; echo "stopped $?"; fg >/dev/null 2>&1; echo "fg $?"
/bin/busybox sh -c 'kill -TSTP $$; echo goes on; exit 6' & wait $! 2>/dev/null; echo "stopped $?"; fg %% >out 2>/dev/null; echo "fg $?"; tail -n 1 out
sleep 100 | sleep 100 & kill -INT %%; wait %% 2>/dev/null; echo "group $?"
/bin/busybox sh -c 'exec /bin/busybox awk "{ print \$5 == $$ }" /proc/$$/stat'; jobs; set +m

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

for signal in HUP INT QUIT USR1 USR2 PIPE ALRM TERM; do trap "echo -n '$signal '" $signal; kill -$signal $BASHPID; done; echo; trap - HUP INT QUIT USR1 USR2 PIPE ALRM TERM
(trap 'echo debug $BASH_COMMAND' DEBUG; true; : two); traced() { trap 'echo returns' RETURN; :; }; traced; trap - RETURN; trap 'echo x' USR1; trap -p USR1; trap - USR1
(trap '' INT; /bin/busybox sh -c 'kill -INT $$; echo inherited'); (trap 'echo reset' INT; /bin/busybox sh -c 'kill -INT $$; echo never'; echo $?) 2>/dev/null
(trap 'echo first' EXIT; trap 'echo second' EXIT); (set -e; trap 'echo cleaned $?' EXIT; false; echo never); kill -l 9 TERM 137; kill -0 $$ && echo alive
for s in HUP QUIT ABRT FPE KILL SEGV PIPE ALRM TERM USR1; do (kill -$s $BASHPID) 2>/dev/null; echo -n "$? "; done; echo; kill -0 999999 2>/dev/null || echo nobody
(trap 'n=$((n + 1))' USR1; n=0; for i in 1 2 3 4 5; do kill -USR1 $BASHPID; done; echo "counted $n")

heading coproc, read, select
coproc UPPER { while read -r line; do echo "${line^^}"; done; }
echo shout >&"${UPPER[1]}"; read -r reply <&"${UPPER[0]}"; echo "$reply"
exec {fd}>&"${UPPER[1]}"; exec {fd}>&-; eval "exec ${UPPER[1]}>&-"; wait $UPPER_PID; echo "coproc $?"
printf 'a:b:c\n' | { IFS=: read -r p q r; echo "$r$q$p"; }
printf 'abcdef' | { read -r -n 3 three; echo "$three"; }; printf 'x,y' | { read -r -d , part; echo "$part"; }
read -r -t 0.05 never <> <(sleep 0.2) ; [ $? -gt 128 ] && echo timed out
PS3='? '; select choice in red green; do echo "chose $choice $REPLY"; break; done <<<2 2>/dev/null
getopts_test() { while getopts 'ab:c' o; do echo "$o ${OPTARG-}"; done; shift $((OPTIND - 1)); echo "rest $*"; }; getopts_test -a -b value -c rest of it

read -r -a words <<<"several words here"; echo "${#words[@]} ${words[2]}"; IFS=, read -r f1 f2 rest <<<'1,2,3,4'; echo "$f1 $f2 $rest"; read -r -N 2 two <<<abc; echo "$two"
printf 'x\\y\n' | { read line; echo "$line"; }; printf 'no end' | { read -r line; echo "$? $line"; }; read -r line </dev/null; echo $?; printf '%s\n' 1 2 3 | mapfile -t all; echo "${#all[@]}"

heading exec and environment
VARIABLE=value /bin/busybox env | grep ^VARIABLE; (exec /bin/busybox echo replaced); env -i /bin/busybox env | wc -l | tr -d ' '
printf '#!/bin/busybox sh\necho script "$0" "$@"\n' >script; chmod 755 script; ./script x 'y z'
printf 'echo no interpreter: $1\n' >plain; chmod 755 plain; ./plain arg
./missing 2>/dev/null; echo $?; ./file 2>/dev/null; echo $?; (ulimit -n 20; ulimit -n); umask 027; touch masked; stat -c %a masked; umask 022
command -v heading; type -t cd; hash -r; eval 'echo evaluated $((3 * 3))'; . /dev/stdin <<<'echo sourced'
set -- p q r; echo $# $3; shift 2; echo "$@"; set -e; (set +e; false; echo on); set +e; time_is() { :; }; { time time_is; } 2>&1 | grep -c real

printf '#!/bin/bash\necho "$0 has $#"\nexit 8\n' >with-bash; chmod +x with-bash; ./with-bash 1 2; echo $?; printf '#!/nothing\n' >bad; chmod +x bad; ./bad 2>/dev/null; echo $?
export EXPORTED=yes; (unset EXPORTED; /bin/busybox env | grep -c EXPORTED); EXPORTED=once /bin/busybox sh -c 'echo $EXPORTED'; echo $EXPORTED; export -n EXPORTED; /bin/busybox env | grep -c EXPORTED
(exec -a renamed "$BASH" -c 'echo "$0"'); (exec ./missing) 2>/dev/null; echo $?; umask -S; ulimit -S -c 0 && ulimit -c; echo "${BASH_VERSINFO[0]}" "${#BASH_SOURCE[@]}" $OPTIND
pushd / >/dev/null; pwd; popd >/dev/null; [ "$PWD" = "$OLDPWD" ] || echo moved; cd / && cd - >/dev/null && [ -e lib ] || echo back; printf 'echo sourced $1; return 3\n' >lib; . ./lib arg; echo $?; eval 'for x in e v; do echo -n $x; done'; echo

heading files
mkdir -p d/e; echo x >d/e/f; ln -s e d/link; cat d/link/f; readlink d/link; mv d/e/f d/g; ls d; ln d/g d/h; stat -c %h d/g; find d | sort
mkfifo pipe; cat pipe & echo "through a fifo" >pipe; wait; dd if=/dev/zero bs=1024 count=64 2>/dev/null | wc -c | tr -d ' '
echo abc | tee t1 t2 | tr abc xyz; cmp t1 t2 && echo equal; seq 1 20 | xargs -n 7 echo; rm -r d; ls -d d 2>/dev/null || echo gone
seq 1 1000 | awk '{ s += $1 } END { print s }'; printf '3\n1\n2\n1\n' | sort -n | uniq -c | sed 's/^ *//'

touch -d @1000000000 old; touch new; [ new -nt old ] && [ old -ot new ] && echo newer; ln new same; [ new -ef same ] && echo one file; ln -s nowhere dangling; [ -L dangling ] && [ ! -e dangling ] && echo dangling
stat -c '%a %s %Y' old; chmod u=rwx,g=rx,o= old; stat -c %A old; echo content >moved; mv moved new; cat same new; cp new copied; echo more >>copied; cmp -s new copied || echo differ; truncated=$(: >copied; wc -c <copied); echo $((truncated))
mkdir -p tree/{a,b}/c; touch tree/a/c/{1,2}; find tree -type f | sort; rm -r tree; ls tree 2>/dev/null || echo "no tree $?"; mkdir full; touch full/x; rmdir full 2>/dev/null || echo not empty
printf 'b 2\na 10\n' >table; sort table | cut -d ' ' -f 1 | tr '\n' ' '; sort -k 2 -n table | head -n 1; grep -c . table; awk '{ s[$1] = $2 } END { print s["a"] + s["b"] }' table; sed -n '$p' table; : >table; [ -s table ] || echo emptied

heading the end
trap 'echo good bye' EXIT
(exit 3); exit $((40 + $?))

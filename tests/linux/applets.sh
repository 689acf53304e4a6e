#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# busybox's applets, each at some small work of its own: what they print is the same everywhere. Called with an empty folder to work in.
# Left out is what needs a network, a disk, a keyboard, modules of Linux or the place of the first process, and what is asked at a
# terminal (tests/cases_linux.py: vi, top, less).
export LC_ALL=C TZ=UTC0 HOME=/ PATH=/nowhere
cd "$1" || exit 9
/bin/busybox mkdir bin work
for name in $(/bin/busybox --list); do /bin/busybox ln -s /bin/busybox "bin/$name"; done
PATH=$PWD/bin; cd work || exit 9
heading() { echo "== $*"; }
number() { grep -qE '^ *[0-9]+' && echo a number; }

heading cat head tail tac rev nl seq yes
seq 1 12 >twelve; head -n 2 twelve; tail -n 2 twelve; tail -n +11 twelve; head -c 5 twelve; tac twelve | head -n 1; seq 5 -2 1 | rev | nl
printf 'a\n\nb\n' | cat -n -A -; printf 'x\ty\n' | cat -t; yes no | head -n 2; seq -w 8 10; seq -s , 3; echo -n 'no end' | tac; echo
heading cut paste tr fold expand unexpand
printf 'a:b:c\nd:e:f\n' >table; cut -d : -f 1,3 table; cut -c 2- table; paste -d , table twelve | head -n 2; paste -s -d + twelve; tr a-f A-F <table
tr -d : <table | tr -s b; tr -cd '[:digit:]' <twelve; echo; fold -w 3 table; fold -s -w 5 table; printf 'a\tb\n' | expand -t 4; printf '        b\n' | unexpand
heading sort uniq shuf cmp diff patch
printf 'b 2\na 10\nb 2\nc 1\n' >rows; sort rows; sort -r -u rows; sort -k 2 -n rows; sort rows | uniq -c; uniq -d rows; sort -t ' ' -k 2,2nr -k 1 rows; shuf twelve | sort -n | cmp - twelve && echo shuffled
sed 's/2/two/' rows >changed; cmp rows changed; diff rows changed; diff -u -L old -L new rows changed >difference; cat difference; patch rows <difference; cmp rows changed && echo patched
patch -R rows <difference; cmp -s rows changed || echo restored; mkdir one other; cp rows one; cp changed other/rows; cp rows other/more; diff -r -q one other
heading grep egrep fgrep sed awk ed
grep -n b rows; grep -c -v b rows; egrep 'a|c' rows; fgrep . rows || echo none; grep -o '[0-9]*' rows; grep -A 1 -m 1 a rows; grep -r -l 10 one other | sort; grep -w -i B rows | wc -l
sed -n '2,3p;$=' rows; sed '/a/d;s/\(.\) \(.*\)/\2 \1/' rows; sed -e '1i\' -e 'top' -e '$a\' -e 'end' rows; sed 'N;P;D' rows | wc -l; sed -i 's/^c/d/' changed; cat changed; sed 'y/abc/xyz/;1!G;h;$!d' rows
awk '{ sum[$1] += $2 } END { for (name in sum) print name, sum[name] }' rows | sort; awk -F : -v OFS=- '{ $2 = toupper($2) } 1' table; awk 'BEGIN { printf "%5.2f|%x|%s\n", 22 / 7, 255, substr("abcdef", 2, 3); print length("four"), index("abc", "c"), int(7.9) }'
awk 'BEGIN { while ("echo one; echo two" | getline line) print "got " line; print "x" | "cat"; close("cat"); n = split("a b c", p); print n p[3]; gsub(/b/, "B", p[2]); print p[2]; exit 3 }'; echo $?
printf '1,2d\na\nadded\n.\nw\nq\n' | ed rows >edited; cat rows; tail -n 1 edited
heading wc od hexdump xxd strings
wc twelve; wc -l -c <table; od -c table | head -n 2; od -A x -t x1 table; od -A n -t d2 table | head -n 1; hexdump -C table; hexdump -e '1/1 "%d "' twelve | head -c 20; echo; xxd table; xxd -p table | xxd -r -p; printf '\000\001some text\002\n' | strings
heading md5sum sha1sum sha256sum sha512sum sha3sum crc32 base64 uuencode uudecode
for sum in md5sum sha1sum sha256sum sha512sum sha3sum crc32; do $sum twelve; done; md5sum twelve >sums; md5sum -c sums; base64 twelve; base64 twelve | base64 -d | cmp - twelve && echo decoded; uuencode -m twelve decoded | uudecode; uuencode twelve x | head -n 2
heading gzip gunzip zcat bzip2 bunzip2 bzcat xz unxz xzcat unlzma lzcat lzop unzip
seq 5000 >many; for pair in gzip:gunzip bzip2:bunzip2 lzop:'lzop -d'; do cp many m; ${pair%%:*} m; ls m.*; rm -f m; ${pair#*:} m.*; cmp m many && echo "${pair%%:*} and back"; rm -f m m.*; done
gzip -c many | zcat | md5sum; bzip2 -c many | bzcat | md5sum; gzip -1 <many | gunzip -t && echo sound; echo wrong | gunzip 2>/dev/null || echo "no archive $?"
echo /Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AAvABddADGbyfP2vI7Fzh1Xuuhai4TqDf3c+AAAAAADVzoYNXnYZgABMzC34DTyH7bzfQEAAAAABFla | base64 -d >x.xz; xzcat x.xz; unxz x.xz; wc -c <x; echo XQAAgAD//////////wAxm8nz9ryOxc4dV7roWouE6g3+CEGb///rpgAA |
    base64 -d >y.lzma; lzcat y.lzma | tail -n 1; unlzma -c <y.lzma | cmp - x && echo the same
echo UEsDBBQAAAAIAAAAIRQ2ayXfFQAAADAAAAAGAAAAemlwcGVkS87PLShKLS5OTVEoSa0o4UomwAcAUEsBAhQDFAAAAAgAAAAhFDZrJd8VAAAAMAAAAAYAAAAAAAAAAAAAAKQBAAAAAHppcHBlZFBLBQYAAAAAAQABADQAAAA5AAAAAAA= |
    base64 -d >z.zip; unzip -p z.zip | head -n 1; unzip -q z.zip; cmp zipped x && echo unzipped
heading tar cpio ar
mkdir -p tree/sub; cp twelve tree; cp table tree/sub; ln -s twelve tree/link; ln tree/twelve tree/hard; tar cf tree.tar tree; tar tf tree.tar | sort; mkdir out; tar xf tree.tar -C out; diff -r tree out/tree && echo unpacked; readlink out/tree/link
stat -c %h out/tree/twelve; tar czf - tree | tar tzf - tree/sub; tar cjf x.tbz tree; tar xjf x.tbz -O tree/sub/table; (cd tree && find . | sort | cpio -o -H newc 2>/dev/null) >tree.cpio; cpio -t <tree.cpio 2>/dev/null
mkdir out2; (cd out2 && cpio -i -d <../tree.cpio 2>/dev/null; cat sub/table); printf '!<arch>\n%-16s%-12s%-6s%-6s%-8s%-10s`\n' table/ 0 0 0 100644 12 | cat - table >lib.a; ar t lib.a; ar p lib.a table
heading ls cp mv rm ln link unlink mkdir rmdir touch truncate
touch -d @86400 old; ls -l --full-time old | awk '{ print $1, $5, $6, $7, $9 }'; stat -c '%a %s %Y %F' old; cp -p old kept; stat -c %Y kept; mv kept moved; ls kept 2>/dev/null || ls moved; link old second; stat -c %h old; unlink second; stat -c %h old; ln -s old soft; ls -F -d soft one
cp -r one copied; ls -R copied; cp -a soft soft2; readlink soft2; mkdir -m 700 private; stat -c %a private; truncate -s 5000 long; wc -c <long; truncate -s 3 long; od -c long; rm -r copied; rmdir private; ls -d copied private 2>/dev/null || echo both gone
mkdir -p -m 750 a/b/c; stat -c %a a/b/c; rmdir -p a/b/c; ls -d a 2>/dev/null || echo gone; rm nothing 2>/dev/null || echo "rm $?"; rm -f nothing && echo forced; touch -r old new; [ new -nt twelve ] || echo older; ls -1 -S many twelve; ls -a one; ls -i old soft -L | cut -c 1-20 | wc -l
heading chmod chown chgrp stat readlink realpath basename dirname mkfifo mknod mktemp
chmod 4755 old; stat -c %A old; chmod u-s,g+w,o= old; stat -c %a old; chmod -R a+rX one; stat -c %a one; chown $(id -u) old && chgrp $(id -g) old && [ $(stat -c %u old) = $(id -u) ] && echo owned; realpath soft | sed 's,.*/,,'; readlink -f ./../work/soft | sed 's,.*/,,'; basename /a/b.c .c; dirname /a/b/c; dirname x
mkfifo pipe; mknod pipe2 p; stat -c %F pipe pipe2; (echo through >pipe &); cat pipe; stat -c %F /dev/null; temp=$(mktemp ./t.XXXXXX); stat -c '%a %s' "$temp"; [ -d "$(mktemp -d ./d.XXXXXX)" ] && echo made
heading find xargs which du dd tee sync fallocate shred
find one other -type f | sort; find . -name '*.tar' -exec basename {} \;; find one -newer many -prune | wc -l; find tree -type l -o -type f -size -1 | sort; find twelve -mtime -1; printf '1 2\n3\n' | xargs -n 1 echo got; printf 'a\0b c\0' | xargs -0 printf '<%s>'; echo
seq 3 | xargs -I @ echo 'x@y'; which cat | sed 's,.*/,,'; which nothing || echo none; dd if=many bs=100 skip=2 count=1 2>/dev/null | head -n 1; dd if=/dev/zero of=zeros bs=1k count=4 conv=sync 2>dd.err; sed 's/,.*//' dd.err; echo x | dd of=zeros bs=1 seek=10 conv=notrunc 2>/dev/null; tr -d '\0' <zeros
echo both | tee t1 -a t2; cat t1 t2; sync && echo synced; fallocate -l 3000 space && wc -c <space; shred -n 1 -u space; ls space 2>/dev/null || echo shredded; du -k -s many | number; du -a one | wc -l
heading echo printf test expr bc dc factor cal date getopt env ascii time
echo -e 'a\tb'; printf '%03d %s %c %x\n' 7 word z 255; test 1 -lt 2 && [ a = a ] && [[ abc == a* ]] && echo holds; expr 6 \* 7; expr abc : 'a\(.\)'; expr 3 \> 5; echo '2^10; scale=3; 22/7' | bc; echo '3 4 + p' | dc; factor 5040 65537; cal 2 2024; date -d @0 '+%Y-%m-%d %H:%M:%S %j %a'
date -u -d '2024-02-29 12:00:00' +%s; getopt -o ab: -l long -- -a -b x --long rest; env -i A=b env; env A=c sh -c 'echo $A'; ascii | head -n 2; time true 2>&1 | cut -c 1-4
heading sh ash sleep usleep timeout setsid nproc id whoami groups pwd arch linux32 linux64 hostname hostid uname tty uptime
sh -c 'echo $0 $#' name a b; ash -c 'for i in 1 2; do echo $i; done | tac'; sh -c 'exit 7'; echo $?; sleep 0.01; usleep 1000; timeout 5 true; echo $?; timeout 0.05 sleep 5; echo $?; timeout -s KILL 0.05 sleep 5; echo $?; setsid sh -c 'echo $(($$ == $(cut -d " " -f 6 /proc/$$/stat)))'
nproc | number; id -u | number; id -G | number; whoami | wc -w; groups | wc -l; pwd | sed 's,.*/,,'; arch; linux32 uname -m; linux64 uname -m; hostname | wc -w; hostid | wc -w; uname -s; uname -m; tty; tty -s || echo no terminal; uptime | grep -c average; which which | sed 's,.*/,,'
heading ps pidof kill renice taskset start-stop-daemon free df top ts
sleep 50 & pid=$!; ps -o pid,comm | grep -c "^ *$pid "; kill -0 $pid && kill $pid; wait $pid; echo $?; sh -c 'exec sleep 51' & pid=$!; while ! pidof sleep | grep -q -w $pid; do usleep 1000; done; taskset -p $pid | wc -l; nice=$(cut -d ' ' -f 19 /proc/$pid/stat); renice -n 3 -p $pid; echo $(($(cut -d ' ' -f 19 /proc/$pid/stat) - nice)); kill -9 $pid; wait $pid; echo $?
kill -l 15; start-stop-daemon -S -b -m -p daemon.pid -x $PWD/../bin/sleep -- 60; while [ ! -s daemon.pid ]; do usleep 1000; done; start-stop-daemon -K -p daemon.pid -o >/dev/null; echo "daemon $?"; free | wc -l; df -P / | wc -l; top -b -n 1 | grep -c '^ *PID '; echo a | ts now
heading clear dos2unix unix2dos stty mkpasswd less more run-parts true false
clear | od -c | head -n 1; printf 'a\r\nb\r\n' >dos; dos2unix dos; od -c dos | head -n 1; unix2dos dos; od -c dos | head -n 1; stty </dev/null 2>/dev/null || echo no terminal; mkpasswd -m md5 -S saltsalt secret; less twelve | tail -n 1; more twelve | head -n 1
mkdir parts; printf '#!/bin/busybox sh\necho part $1\n' >parts/one; chmod 755 parts/one; run-parts -a x parts; run-parts --test parts; echo text | less | cat; [ ! -e nothing ] && true; false; echo $?
heading the end
cd ../..; exit 6

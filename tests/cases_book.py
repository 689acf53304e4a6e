# SPDX-License-Identifier: MIT
"""The book, docs/book: does it speak of the tree as it is, and do its experiments come out as it shows them?"""
import glob
import os

from kinds import ROOT, Script

# Every excerpt, link, file, function and command that a page names is there; and pages with one mistake each, and what is said of it.
PAGES = r"""
tools/book check | tail -n 1 | grep -E '^[1-9][0-9]* pages, 0 mistakes$'
cp docs/book/02-traps.md $TMP/page.md
mistake() { # WORDS: what is to be said of this line at the end of the page
    printf '%s\n' "$2" >>$TMP/page.md
    echo "page.md:$(wc -l <$TMP/page.md): $1" >>$TMP/expected
}
mistake 'kernel/ke/sched.c defines no KiSelectLastThread' '{{code kernel/ke/sched.c KiSelectLastThread}}'
mistake 'kernel/ke/nothing.c: No such file' '{{code kernel/ke/nothing.c KiReady}}'
mistake 'kernel/ke/sched.c has no line with "Nobody"' '{{code kernel/ke/sched.c KiReady "Nobody"}}'
mistake 'kernel/ke/sched.c has more than one line with "PKTHREAD Thread"' '{{code kernel/ke/sched.c "PKTHREAD Thread".."}"}}'
mistake 'kernel/ke/ke.h defines no KTHREAD' '{{code kernel/ke/ke.h KTHREAD}}'
mistake 'docs/book/nothing.svg: No such file' '{{figure nothing.svg}}'
mistake 'not understood' '{{code kernel/ke/sched.c KiReady ".."}'
mistake 'the sources have no Ki''SelectNobody' 'Then `Ki''SelectNobody(Prcb)` is called.'
mistake 'there is no kernel/ke/nothing.c' 'See `kernel/ke/nothing.c`.'
mistake 'there is no command tools/walk' 'Call `tools/walk -- ls`.'
mistake 'make has no target cook' 'Then `make cook` does it.'
mistake 'the link 13-end.md leads nowhere' 'See [the end](13-end.md).'
printf '```run\n$ tools/jump\n```\n' >>$TMP/page.md
echo "page.md:$(($(wc -l <$TMP/page.md) - 2)): there is no command tools/jump" >>$TMP/expected
if tools/book check $TMP/page.md >$TMP/said; then exit 1; fi
while read -r line; do grep -F "$line" $TMP/said; done <$TMP/expected
grep -x "1 pages, $(wc -l <$TMP/expected) mistakes" $TMP/said

# An experiment: what varies is not compared, all else is.
cat >$TMP/run.md <<'END'
```run
% only two|three
% varies [0-9]+
$ printf 'one\ntwo 77\nfour\nthree\n'
two 2
...
three
```
END
tools/book run $TMP/run.md
sed -i 's/^three/thrice/' $TMP/run.md
if tools/book run $TMP/run.md >$TMP/said; then exit 1; fi
grep 'run.md:1: something else came out' $TMP/said
tools/book record $TMP/run.md
tools/book run $TMP/run.md
"""

NO_PANDOC = r"""
mkdir $TMP/bin
for name in python3 env make sh bash sed; do ln -s $(command -v $name) $TMP/bin/; done
if PATH=$TMP/bin tools/book build 2>$TMP/said; then exit 1; fi
test $(wc -l <$TMP/said) = 1
grep '^tools/book: pandoc is missing.*sudo apt-get install pandoc' $TMP/said
"""

# The page stands alone, each chapter and each link in it is there, and no line for the tool is left over.
BUILD = r"""
tools/book page | grep -x build/book/primer.html
python3 - <<'END'
import glob, re
pages = len(glob.glob("docs/book/[0-9]*.md"))
page = open("build/book/primer.html", encoding="utf-8").read()
ids = set(re.findall(r'\bid="([^"]+)"', page))
links = re.findall(r'href="([^"]+)"', page)
assert len(links) > 4 * pages and all(link[0] == "#" and link[1:] in ids for link in links), [link for link in links if link[1:] not in ids]
assert "{{" not in page and "```" not in page and 'src="' not in page
assert len(re.findall(r'<section[^>]* class="level1[ "]', page)) == pages and 'class="sourceCode c"' in page
END
"""

PDF = r"""
make -s book | grep -x build/book/primer.pdf
test "$(head -c 5 build/book/primer.pdf)" = %PDF-
test $(wc -c <build/book/primer.pdf) -gt 300000
"""


def experiments():
    """A case for each page that has some. Where they run on several processors, they have the machine for themselves, as kernel tests have."""
    for path in sorted(glob.glob(os.path.join(ROOT, "docs/book/[0-9]*.md"))):
        with open(path, encoding="utf-8") as page:
            text = page.read()
        if "```run" in text:
            name = os.path.basename(path)
            yield Script(f"book/{name.removesuffix('.md')}", f"tools/book run docs/book/{name}", alone="--smp" in text, needs=("gdb",), debug=True)


CASES = [
    Script("docs/book", PAGES),
    Script("docs/book-without-pandoc", NO_PANDOC),
    Script("docs/book-page", BUILD, needs=("pandoc",)),
    Script("docs/book-pdf", PDF, needs=("pandoc", "chromium")),
    *experiments(),
]

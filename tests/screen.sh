# SPDX-License-Identifier: MIT
# What tests/screen.py draws with control sequences, to read it back from the screen.
printf '\033[2J\033[H'
printf '\033[1;1Hplain \033[1mbold\033[0m \033[7mreverse\033[0m \033[31mred\033[44m on blue\033[0m'
printf '\033[2;1HABCDEFGH\033[2;3H\033[2P\033[2@xy\033[2;9H\033[1D\033[1Kz'
printf '\033[3;1H0123456789\033[3;5H\033[K\033[4;1H0123456789\033[4;5H\033[3X'
printf '\033[5;1Hone\r\ntwo\r\nthree\r\nfour\033[5;8r\033[5;1H\033M\033[Ltop\033[8;1H\n\nend\033[r'
printf '\0337\033[10;1Hsaved\0338\033[11;70H0123456789wraps'
printf '\033[13;1Hinsert\033[13;3H\033[4h--\033[4l\033[14;1Ha\tb\bc\033[14;30H\303\244|\033(0qx\033(B|'
printf '\033[15;5Hup\033[A\033[2Dcuu\033[2B\033[3Dcud\033[15;40H\033[5Gcha\033[20dvpa'
printf '\033[22;1H\033]0;a title\007not the title\033[?25l\033[?25h'
printf '\033[24;1HEND'
sleep 1000

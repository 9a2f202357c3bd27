/* Data among code: what looks like a branch in it is none. What lies behind the function is part of no function. */
#include "../kernel.h"

asm(".section .text.f,\"ax\"\n.type f,%function\nf:\tadr x0, 1f\n\tldr x1, =far\n\tb 2f\n1:\t.word 0x94000fff, 1\n\t.xword far\n2:\tret\n\t.ltorg\n.size f,.-f\n"
    ".type g,%function\ng:\tbl f\n\tadr x0, f\n\tret\n.size g,.-g\n.section __patchable_function_entries,\"aw\"\n\t.xword f, g\n.text");

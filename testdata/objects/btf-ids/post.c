/* BTF ids: the number behind a name is the place and line of its macro, and a set has no size of its own. */
#include "../kernel.h"

asm(".pushsection .BTF_ids,\"a\"\n.balign 4\n"
    ".local set\nset:\n.zero 4\n"
    ".local __BTF_ID__struct__one__328\n.type __BTF_ID__struct__one__328, STT_OBJECT\n.size __BTF_ID__struct__one__328, 4\n__BTF_ID__struct__one__328:\n.zero 4\n"
    ".popsection");
extern unsigned int set[];
int f(int n) { return source(n + 1) + set[1]; }

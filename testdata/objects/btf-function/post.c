/* A function without fentry that BPF programs call by the address that kallsyms has for its name. */
#include "../kernel.h"

asm(".pushsection .BTF_ids,\"a\"\n.balign 4\n"
    ".local __BTF_ID__func__by_name__317\n.type __BTF_ID__func__by_name__317, STT_OBJECT\n.size __BTF_ID__func__by_name__317, 4\n__BTF_ID__func__by_name__317:\n.zero 4\n"
    ".popsection");
static noinline noclone notrace int by_name(int n) { return source(n) + 2; }
static noinline noclone notrace int by_call(int n) { return source(n) + 2 + 1; }
int f(int n) { return by_name(n) + by_call(n + 1); }

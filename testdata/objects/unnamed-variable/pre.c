/* Writable data without a name is never copied: the copy would not share what is written to it. */
#include "../kernel.h"

extern int unnamed;
asm(".pushsection .data.unnamed,\"aw\"\n1:\t.long 5\n.popsection\n.pushsection .text.g,\"ax\"\n.type g,@function\ng: movl 1b(%rip),%eax\nret\n.size g,.-g\n.popsection");
int f(int n) { int v; asm volatile("movl .data.unnamed(%%rip),%0" : "=r" (v)); return source(n) + v; }

/* Entries of .parainstructions are padded by the next one: the last of pre is shorter, and entries of the extract are not. */
#include "../kernel.h"
#define CALL "771:\tcall *table\n772:\n.pushsection .parainstructions,\"a\"\n.balign 8\n.quad 771b\n.byte 7\n.byte 772b-771b\n.popsection\n"
int f(int n) { asm volatile(CALL CALL); return source(n) + 1; }
int g(int n) { asm volatile(CALL); return source(n) + 1; }

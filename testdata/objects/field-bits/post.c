/* The register of an instruction whose immediate is relocated changes: it stands in the relocated word. */
#include "../kernel.h"

asm(".section .text.f,\"ax\"\n.globl f\n.type f,%function\nf:\tadrp x1, far\n\tret\n.size f,.-f\n"
    ".section __patchable_function_entries,\"aw\"\n\t.xword f\n.text");

/* The slow path of static_cpu_has() is code without a symbol; only the byte that it tests changes. */
#include "../kernel.h"

extern char caps[];
int f(int n)
{
	asm goto(ALTERNATIVE("jmp 6f", "jmp %l[no]", 7) ".pushsection .altinstr_aux,\"ax\"\n6:\ttestb $4,caps+1(%%rip)\n\tjnz %l[yes]\n\tjmp %l[no]\n.popsection\n" : : : : yes, no);
yes:
	return source(n);
no:
	return source(n + 2);
}
int g(int n)
{
	asm goto(ALTERNATIVE("jmp 6f", "jmp %l[no]", 8) ".pushsection .altinstr_aux,\"ax\"\n6:\ttestb $8,caps+2(%%rip)\n\tjnz %l[yes]\n\tjmp %l[no]\n.popsection\n" : : : : yes, no);
yes:
	return source(n) + 1;
no:
	return source(n + 3);
}

/* Tables of numbers whose address code computes, if only once, or if only the old or the new code: objects may hold it. */
#include "../kernel.h"

#ifdef POST
#define NEW 33
#else
#define NEW 3
#endif
struct dev { const int *regs; };
#define TABLE(name, first) static const int name[] = { first, 2, NEW, 4, 5, 6, 7, 8 }; int use_##name(int n) { return name[n] + source(n); }
TABLE(stored, 1)
TABLE(passed, 2)
TABLE(at_boot, 3)
TABLE(by_index, 4)
TABLE(on_stack, 5)
TABLE(compared, 6)
TABLE(copied, 7)
TABLE(in_asm, 8)
TABLE(by_new, 9)
TABLE(by_old, 10)
TABLE(by_removed, 11)
TABLE(returned, 12)
TABLE(in_place, 13)
void probe(struct dev *d) { d->regs = stored; }
void passes(void) { sink(passed); }
void section(".init.text") boot(void) { sink(at_boot); }
void indexed(struct dev *d, int n) { d->regs = by_index + n; }
void stack(void) { struct dev d = { on_stack }; sink(&d); }
int compares(struct dev *d) { return d->regs == compared ? source(1) : source(2); }
void copies(void *to) { asm volatile("rep movsb" : : "D" (to), "S" (copied), "c" (32) : "memory"); }
void assembly(void) { asm volatile("movq $%c0, 8(%%rsp)" : : "i" (in_asm) : "memory"); }
void either(void)
{
#ifdef POST
	sink(by_new);
#else
	sink(by_old);
#endif
}
#ifndef POST
void removed(void) { sink(by_removed); }
#endif
const int *returns(void) { return returned; }

/* A table of operations under another name: objects that exist have the old one. One that nobody was given is no matter. */
#define POST
#include "../kernel.h"

#ifdef POST
#define NAME(n) n##_v2
#define NUMBER 4
#else
#define NAME(n) n
#define NUMBER 3
#endif
struct ops { int (*fn)(int); };
struct dev { const struct ops *ops; const int *regs; };
static int one(int n) { return source(n); }
static const struct ops NAME(ops) = { one };
static const int NAME(regs)[] = { 1, 2, NUMBER };
static const int NAME(read)[] = { 1, 2, NUMBER, 4 };
void probe(struct dev *d) { d->ops = &NAME(ops); }
int mine(struct dev *d) { return d->ops == &NAME(ops) ? source(1) : source(2); }
void setup(struct dev *d) { d->regs = NAME(regs); source(3); }
int get(int n) { return NAME(read)[n] + source(n); }
#ifdef POST
static const struct ops added = { one };
void other(struct dev *d) { d->ops = &added; }
#endif

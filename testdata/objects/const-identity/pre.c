/* A changed constant by whose address code tells what an object is. */
#include "../kernel.h"

static const struct { int max; } v1 = { 5 }, v2 = { 6 };
struct dev { const void *info; };
void probe(struct dev *d, int n) { d->info = n ? &v1 : &v2; }
int use(struct dev *d) { return d->info == &v1 ? source(1) : source(2); }

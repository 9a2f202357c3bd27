/* Objects without a name that code hands out: one whose content changes, and one that moves. */
#include "../kernel.h"

#ifdef POST
#define NUMBER 4
#else
#define NUMBER 3
#endif
struct conf { int rate, depth; };
struct dev { const struct conf *conf; };
#ifdef POST
static const struct conf *const added = &(const struct conf) { 9, 9 };
#endif
static const struct conf *const changed = &(const struct conf) { 1, NUMBER };
static const struct conf *const same = &(const struct conf) { 2, 2 };
void probe(struct dev *d) { d->conf = changed; source(1); }
void other(struct dev *d) { d->conf = same; source(NUMBER); }
#ifdef POST
void third(struct dev *d) { d->conf = added; source(2); }
#endif

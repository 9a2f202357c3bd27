/* Objects without a name: constant ones are told by their content, whatever their number; of the others each is one of its own. */
#define POST
#define PIN 5
#include "../kernel.h"

struct pin { int nid, value; };
struct fixup { const struct pin *pins; int *state; };
#ifdef POST
const struct fixup added = { .pins = (const struct pin[]) { { 9, 9 }, { } } };
#endif
struct fixup kept = { .pins = (const struct pin[]) { { 1, 2 }, { } } };
struct fixup changed = { .pins = (const struct pin[]) { { 3, PIN }, { } } };
int f(int n) { return source(n) + PIN + kept.pins[n].nid + changed.pins[n].nid; }

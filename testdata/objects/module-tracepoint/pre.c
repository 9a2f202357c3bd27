/* A tracepoint of the module itself stays silent: its key is known too late. Names of the module are the update's own. */
#include "../kernel.h"

struct tracepoint { const char *name; struct static_key key; };
extern struct tracepoint __tracepoint_their_event;
extern int their_function(int n);
struct tracepoint __tracepoint_event;
static int state;
int f(int n)
{
	if (static_branch(&__tracepoint_their_event.key)) source(n);
	if (static_branch(&__tracepoint_event.key)) source(2);
	return their_function(n) + state;
}
void set(int n) { state = n; }

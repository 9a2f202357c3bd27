package livepatch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// loadedModule is what is to be known of a module of livesplice that this boot
// loaded. Its files may be gone by the time it is disabled.
type loadedModule struct {
	Boot string `json:"boot"`
	// Unload is what the manifest said.
	Unload *Unload `json:"unload,omitempty"`
	// Stays is why it was left loaded, disabled, when that was last tried.
	Stays string `json:"stays,omitempty"`
}

// noteLoaded remembers what u's manifest says of the module that is loaded.
func (s *state) noteLoaded(u *Update, boot string) {
	if s.Loaded == nil {
		s.Loaded = make(map[string]loadedModule)
	}
	s.Loaded[u.ID] = loadedModule{Boot: boot, Unload: u.Manifest.Unload}
}

// hold returns why an update's module may not be unloaded, or "".
func (u *Unload) hold() string {
	switch {
	case u == nil:
		return "its maker does not say that nothing holds addresses in it"
	case u.Allowed:
		return ""
	}
	why := u.Reasons[0].String()
	if n := len(u.Reasons) - 1; n > 0 {
		why += fmt.Sprintf(", and %d more", n)
	}
	return why
}

// String is one line: `names.str: handed to request_region, which keeps it (fs/namei.c:3701)`.
func (r UnloadReason) String() string {
	s := r.Subject + ": " + r.Reason
	if r.Source != "" {
		s += " (" + r.Source + ")"
	}
	return s
}

// hold returns why the module of the update id may not be unloaded, or "". What
// was remembered as it was loaded counts first. Without that, it is the manifest
// on disk, if that is the one of the module that is loaded.
func (r *run) hold(id string) string {
	if m, ok := r.st.Loaded[id]; ok && m.Boot == r.boot {
		return m.Unload.hold()
	}
	for _, u := range r.onDisk {
		if u.ID == id && u.Err == nil && !u.Manifest.Empty() && r.loadedOther(u) == nil {
			return u.Manifest.Unload.hold()
		}
	}
	return (*Unload)(nil).hold()
}

// unload removes the module of a livepatch that has vanished, or leaves it
// loaded: because something may hold an address in it, or because a task may be
// in it still. Livepatch looks only for the functions that it replaces with on the
// stacks of tasks, not for their cold parts, nor for other functions of the module.
// It says what it left, which is no error.
//
// The kernel gives up its own hold a moment after the livepatch's folder has
// vanished, hence the repetition. A module that force has pinned stays, which is
// an error; where the kernel unloads nothing any more it stays too, which changes
// nothing.
func (r *run) unload(ctx context.Context, module string) error {
	if r.left[module] {
		return nil
	}
	if r.modulesDisabled() {
		r.stays(module, "until the next boot: kernel.modules_disabled is 1")
		return nil
	}
	id, _ := moduleID(module)
	if why := r.hold(id); why != "" {
		r.stays(module, "until the next boot, since addresses in it may be held: "+why)
		return nil
	}
	var last error
	var inside []Occupant
	ok, err := r.poll(ctx, func() (bool, error) {
		if n, err := r.attr("sys/module", module, "refcnt"); err == nil && n != "0" {
			last = unix.EAGAIN
			return false, nil
		}
		var err error
		if inside, err = r.occupants(ctx, module); err != nil || len(inside) > 0 {
			return true, err
		}
		last = r.Kernel.DeleteModule(module)
		switch {
		case last == nil, errors.Is(last, unix.ENOENT):
			return true, nil
		case errors.Is(last, unix.EAGAIN), errors.Is(last, unix.EBUSY):
			return false, nil
		}
		return false, fmt.Errorf("module %q: unloading: %w", module, last)
	})
	switch {
	case err != nil:
		return err
	case len(inside) > 0:
		r.stays(module, "until "+occupied(inside)+"; splicectl reconcile, which a timer runs, tries again")
		return nil
	case ok:
		if r.st.Loaded[id].Stays != "" {
			r.tell("unloaded module %q, which had stayed", module)
		}
		delete(r.st.Loaded, id)
		return nil
	}
	return fmt.Errorf("module %q: unloading: still in use after %v: %w", module, r.Timeout, last)
}

// occupied names the first of those that a module waits for.
func occupied(inside []Occupant) string {
	if inside[0].TID == 0 {
		return "the tasks of the machine can be looked at: " + inside[0].Unseen
	}
	var names []string
	for i, o := range inside {
		if i == maxNamed {
			names = append(names, fmt.Sprintf("%d more", len(inside)-i))
			break
		}
		names = append(names, o.String())
	}
	return strings.Join(names, " and ")
}

// stays records why a module was left loaded, and says so if that is news.
func (r *run) stays(module, why string) {
	id, _ := moduleID(module)
	m := r.st.Loaded[id]
	if m.Boot != r.boot {
		m = loadedModule{Boot: r.boot}
		for _, u := range r.onDisk {
			if u.ID == id && u.Err == nil && r.loadedOther(u) == nil {
				m.Unload = u.Manifest.Unload
			}
		}
	}
	if m.Stays != why {
		r.tell("note: module %q stays loaded, disabled, %s", module, why)
	}
	m.Stays = why
	if r.left == nil {
		r.left = make(map[string]bool)
	}
	r.left[module] = true
	if r.st.Loaded == nil {
		r.st.Loaded = make(map[string]loadedModule)
	}
	r.st.Loaded[id] = m
}

// unloadLeftovers unloads the modules of livesplice that are loaded without
// being a livepatch any longer, those that were replaced or undone, as far as they
// may be.
func (r *run) unloadLeftovers(ctx context.Context) error {
	names, err := r.Modules()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if _, ours := moduleID(name); !ours {
			continue
		}
		// A replaced livepatch's folder vanishes a moment after the transition.
		if l, err := r.livepatch(name); err == nil && (l.Enabled || l.Transition) {
			continue
		}
		gone, err := r.waitGone(ctx, name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !gone:
			errs = append(errs, fmt.Errorf("livepatch %q: replaced or undone, but still there after %v", name, r.Timeout))
		default:
			errs = append(errs, r.unload(ctx, name))
		}
	}
	return errors.Join(errs...)
}

// DisabledModule is a module of livesplice that is loaded without being a
// livepatch: its update was undone, replaced or removed.
type DisabledModule struct {
	ID     string `json:"id"`
	Module string `json:"module"`
	// Memory is what it takes, in bytes.
	Memory int64 `json:"memory"`
	// MayUnload says that nothing holds an address in it: it goes as soon as no
	// task is in it.
	MayUnload bool `json:"may_unload"`
	// Why says what it stays for.
	Why string `json:"why"`
}

// disabledModules returns the modules that stay loaded, by name.
func (h *Host) disabledModules(st *state) ([]DisabledModule, error) {
	names, err := h.Modules()
	if err != nil {
		return nil, err
	}
	boot, _ := h.bootID()
	found := []DisabledModule{}
	for _, name := range names {
		id, ours := moduleID(name)
		if !ours || h.exists("sys/kernel/livepatch", name) {
			continue
		}
		d := DisabledModule{ID: id, Module: name, Memory: h.moduleMemory(name), Why: "splicectl reconcile has not run since"}
		if m, ok := st.Loaded[id]; ok && m.Boot == boot {
			d.MayUnload = m.Unload != nil && m.Unload.Allowed
			if m.Stays != "" {
				d.Why = m.Stays
			}
		}
		found = append(found, d)
	}
	return found, nil
}

// moduleMemory is the memory of a loaded module in bytes, 0 when it is not known.
func (h *Host) moduleMemory(module string) (total int64) {
	for _, part := range []string{"coresize", "initsize"} {
		text, _ := h.attr(path.Join("sys/module", module, part))
		n, _ := strconv.ParseInt(text, 10, 64)
		total += n
	}
	if total > 0 {
		return total
	}
	modules, _ := h.attr("proc/modules")
	for line := range strings.Lines(modules) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == module {
			total, _ = strconv.ParseInt(f[1], 10, 64)
		}
	}
	return total
}

// forgetUnloaded drops what is remembered of modules that are loaded no more.
func (r *run) forgetUnloaded() {
	names, err := r.Modules()
	if err != nil {
		return
	}
	for id, m := range r.st.Loaded {
		if m.Boot != r.boot || !slices.Contains(names, ModuleName(id)) {
			delete(r.st.Loaded, id)
		}
	}
}

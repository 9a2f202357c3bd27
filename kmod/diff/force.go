package diff

import "livesplice/kmod/unit"

// What is refused is of two kinds. Some is a matter of what the pair of objects cannot tell, or of what the running kernel
// does with the change: whoever knows better can have the object all the same. The rest has no form in an object.

// unsure refuses what can be extracted, but may be wrong in the running kernel. It says whether to go on.
func (x *extractor) unsure(code Code, it *unit.Item, reason, remedy string) (goOn bool) {
	if !x.force {
		x.cannot(code, it, reason, remedy)
		return false
	}
	x.ext.Forced = append(x.ext.Forced, Refusal{Code: code, Unit: x.Unit, Subject: it.Name, Source: x.Post.Source(it), Reason: reason, Remedy: remedy})
	return true
}

// impossible is cannot, for where unsure would do for other causes.
func (x *extractor) impossible(code Code, it *unit.Item, reason, remedy string) (goOn bool) {
	x.cannot(code, it, reason, remedy)
	return false
}

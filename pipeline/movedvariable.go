package pipeline

import (
	"fmt"

	"livesplice/kmod/diff"
)

// movedVariables refuses variables that are new in one unit and have the name and size of one that the patch takes out of another:
// code that moved to another file took its variable along, and what that holds in the running kernel would be lost.
func movedVariables(units []*comparison) (refused diff.Refusals) {
	for _, to := range units {
		for _, v := range to.added {
			for _, from := range units {
				if from != to && hasVariable(from.gone, v) {
					refused = append(refused, diff.Refusal{Code: diff.AmbiguousStatic, Unit: to.Unit, Subject: v.Name,
						Reason: fmt.Sprintf("%s had a variable of this name and size, which is gone from there: if this is the same one, what the running kernel has in it would be lost", from.Unit),
						Remedy: "leave the variable where it is, with the code that uses it"})
					break
				}
			}
		}
	}
	return refused
}

func hasVariable(list []diff.MovedVariable, v diff.MovedVariable) bool {
	for _, other := range list {
		if other.Name == v.Name && other.Size == v.Size {
			return true
		}
	}
	return false
}

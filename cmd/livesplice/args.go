package main

import (
	"os"
	"strings"
)

// splitArgs tells patches from kernel packages, so that --kernel can be followed by several files as a shell's
// wildcard gives them.
func splitArgs(args []string) (files, kernels []string) {
	for _, a := range args {
		st, err := os.Stat(a)
		if strings.HasSuffix(a, ".deb") || strings.HasSuffix(a, ".rpm") || err == nil && st.IsDir() {
			kernels = append(kernels, a)
		} else {
			files = append(files, a)
		}
	}
	return files, kernels
}

package kconfig

// Unmet is one thing that stands in the way of splicing a kernel.
type Unmet struct {
	Option string `json:"option"` // "CONFIG_LIVEPATCH"
	Want   string `json:"want"`
	Have   string `json:"have"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
	Level  Level  `json:"level"`
}

// Level says what an Unmet means.
type Level string

// Levels.
const (
	Refused Level = "refused" // create stops
	Note    Level = "note"    // create goes on, the user should know
)

// Requirements lists what this kernel lacks, refusals first.
func Requirements(c *Config, r Release) []Unmet { panic("later") }

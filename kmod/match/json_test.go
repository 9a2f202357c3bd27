package match

import (
	"encoding/json"
	"testing"
)

// TestJSON: as numbers the addresses of a kernel lose their last digits in jq and in JavaScript.
func TestJSON(t *testing.T) {
	for want, v := range map[string]any{
		`{"name":"f","size":8,"proof":"strict","by":"name","address":"0xffffffff81000123"}`: Function{Name: "f", Address: 0xffffffff81000123, Size: 8, Proof: Strict, By: "name"},
		`{"name":"f","size":8,"proof":"none"}`:                                              Function{Name: "f", Size: 8, Proof: None},
		`{"unit":"u","subject":"s","reason":"r","address":"0xffffffff81000123"}`:            Difference{Unit: "u", Subject: "s", Address: 0xffffffff81000123, Reason: "r"},
		`{"unit":"u","subject":"s","offset":3,"reason":"r"}`:                                Difference{Unit: "u", Subject: "s", Offset: 3, Reason: "r"},
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
		if d, ok := v.(Difference); ok {
			var back Difference
			if err := json.Unmarshal(got, &back); err != nil || back != d {
				t.Errorf("%s reads as %+v, %v", got, back, err)
			}
		}
	}
}

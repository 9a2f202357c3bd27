package match

import (
	"encoding/json"

	"livesplice/kmod/vmlinux"
)

// MarshalJSON writes the address as vmlinux.Hex does.
func (f Function) MarshalJSON() ([]byte, error) {
	type plain Function
	return json.Marshal(struct {
		plain
		Address vmlinux.Hex `json:"address,omitempty"`
	}{plain(f), vmlinux.Hex(f.Address)})
}

// MarshalJSON writes the address as vmlinux.Hex does.
func (d Difference) MarshalJSON() ([]byte, error) {
	type plain Difference
	return json.Marshal(struct {
		plain
		Address vmlinux.Hex `json:"address,omitempty"`
	}{plain(d), vmlinux.Hex(d.Address)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Difference) UnmarshalJSON(data []byte) error {
	type plain Difference
	v := struct {
		*plain
		Address vmlinux.Hex `json:"address"`
	}{plain: (*plain)(d)}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	d.Address = uint64(v.Address)
	return nil
}

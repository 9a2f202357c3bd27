package vmlinux

import (
	"maps"
	"strings"
	"testing"
)

func TestParseSymvers(t *testing.T) {
	got, err := ParseSymvers(strings.NewReader(
		"0xb03e6ab9\tmemcpy\tvmlinux\tEXPORT_SYMBOL\t\n" +
			"0x00000000\tdma_buf_get\tvmlinux\tEXPORT_SYMBOL_GPL\tDMA_BUF\n" +
			"0xdeadbeef\tjbd2_journal_stop\tfs/jbd2/jbd2\tEXPORT_UNUSED_SYMBOL_GPL\t\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Symvers{
		"memcpy":            {Name: "memcpy", CRC: 0xb03e6ab9, Module: "vmlinux"},
		"dma_buf_get":       {Name: "dma_buf_get", Module: "vmlinux", GPL: true, Namespace: "DMA_BUF"},
		"jbd2_journal_stop": {Name: "jbd2_journal_stop", CRC: 0xdeadbeef, Module: "fs/jbd2/jbd2", GPL: true},
	}
	if !maps.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestParseSymversRejects(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "line 2: 1 fields, want 5 with a tab between",
		"0x1\tb\tvmlinux\tEXPORT_SYMBOL":     "line 2: 4 fields, want 5 with a tab between",
		"0x1\tb\tvmlinux\tEXPORT_SYMBOL\t\t": "line 2: 6 fields, want 5 with a tab between",
		"1\tb\tvmlinux\tEXPORT_SYMBOL\t":     `line 2: CRC "1": want 0x and up to 8 hexadecimal digits`,
		"0x123456789\tb\tvmlinux\tEXPORT_SYMBOL\t": `line 2: CRC "0x123456789": want 0x and up to 8 hexadecimal digits`,
		"0x1\t\tvmlinux\tEXPORT_SYMBOL\t":          `line 2: symbol "" of module "vmlinux": both must be there`,
		"0x1\tb\t\tEXPORT_SYMBOL\t":                `line 2: symbol "b" of module "": both must be there`,
		"0x1\tb\tvmlinux\tEXPORT\t":                `line 2: export type "EXPORT": want EXPORT_SYMBOL or EXPORT_SYMBOL_GPL`,
		"0x1\ta\tvmlinux\tEXPORT_SYMBOL\t":         `line 2: "a" is there twice`,
		strings.Repeat("x", 100000):                "line 2: bufio.Scanner: token too long",
	} {
		_, err := ParseSymvers(strings.NewReader("0x1\ta\tvmlinux\tEXPORT_SYMBOL\t\n" + line + "\n"))
		if err == nil || err.Error() != want {
			t.Errorf("%.40q: error %v, want %s", line, err, want)
		}
	}
}

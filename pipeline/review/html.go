package review

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed page.css
var css string

//go:embed page.html
var pageText string

// page escapes by context all that it shows; visible comes before, for what no escaping tells: characters that do not
// show, or that turn the text around them.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"css":     func() template.CSS { return template.CSS(css) },
	"v":       visible,
	"hex":     func(n uint64) string { return fmt.Sprintf("%#x", n) },
	"seconds": func(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) },
	"join":    func(words []string) string { return visible(strings.Join(words, ", ")) },
	"count":   count,
	"proof":   proofText,
	"callers": callersText,
	"rows":    func(p Part) int { return len(p.all()) },
	"alone":   func(p Part, name string) codeTable { return codeTable{Name: p.Name, First: true, Rows: p.all()} },
	"segment": func(s Segment, i int, name string) codeTable {
		return codeTable{Name: name, First: i == 0, Both: true, Rows: s.Rows}
	},
}).Parse(pageText))

// codeTable is a stretch of machine code; with Both, two versions side by side.
type codeTable struct {
	Name        string
	First, Both bool
	Rows        []Row
}

func (p Part) all() (rows []Row) {
	for _, s := range p.Segments {
		rows = append(rows, s.Rows...)
	}
	return rows
}

// Write writes the page as one HTML file that needs no other.
func (p *Page) Write(w io.Writer) error {
	return page.Execute(w, struct {
		*Page
		Summary
	}{p, Summarise(p.Manifest)})
}

// count is a number with what it counts.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// proofText is a proof in words. Source: match.Proof.
func proofText(proof string) string {
	switch proof {
	case "strict":
		return "by bytes"
	case "instruction":
		return "by instruction"
	case "none":
		return "not located"
	}
	return visible(proof)
}

func callersText(list []Caller) string {
	var words []string
	for _, c := range list {
		word := visible(c.Name)
		if c.Count > 1 {
			word += fmt.Sprintf(" ×%d", c.Count)
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return "nobody directly"
	}
	return strings.Join(words, ", ")
}

package verify

import (
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// junitSuites is the root of a JUnit report: a suite for each package, a case for each step.
//
// Source: the form that Jenkins, GitLab and others read; its elements are listed in the "JUnit XML format" of
// testmoapp/junitxml.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string           `xml:"name,attr"`
	Tests      int              `xml:"tests,attr"`
	Failures   int              `xml:"failures,attr"`
	Errors     int              `xml:"errors,attr"`
	Time       string           `xml:"time,attr"` // seconds
	Properties *junitProperties `xml:"properties,omitempty"`
	Cases      []junitCase      `xml:"testcase"`
}

type junitProperties struct {
	All []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitReason `xml:"failure,omitempty"`
	Error   *junitReason `xml:"error,omitempty"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Attempt is what Run gave for one package.
type Attempt struct {
	Package string
	Result  *Result // nil if there was no machine to be started
	Err     error
}

// WriteJUnit writes a JUnit report. A problem of the update is a failure; what kept it from being tried is an error.
func WriteJUnit(w io.Writer, attempts []Attempt) error {
	var all junitSuites
	for _, a := range attempts {
		all.Suites = append(all.Suites, a.junit())
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (a Attempt) junit() junitSuite {
	s := junitSuite{Name: filepath.Base(a.Package), Time: "0.000"}
	failed := false
	if r := a.Result; r != nil {
		s.Time = seconds(r.Seconds)
		p := []junitProperty{{"id", r.ID}, {"release", r.Release}, {"build_id", r.BuildID}, {"accel", r.Accel}}
		if len(r.Absent) > 0 {
			p = append(p, junitProperty{"not_loadable_here", strings.Join(r.Absent, " ")})
		}
		s.Properties = &junitProperties{p}
		for i, step := range r.Steps {
			c := junitCase{Class: s.Name, Name: step.Name + ": " + step.What, Time: seconds(step.Seconds)}
			if len(step.Problems) > 0 {
				failed = true
				reason := &junitReason{Message: step.Problems[0], Text: strings.Join(step.Problems, "\n")}
				if _, ours := a.Err.(*Failed); ours && i == len(r.Steps)-1 {
					c.Failure = reason
					s.Failures++
				} else {
					c.Error = reason
					s.Errors++
				}
			}
			s.Cases = append(s.Cases, c)
		}
	}
	if a.Err != nil && !failed {
		s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: "open", Time: "0.000", Error: &junitReason{Message: a.Err.Error(), Text: a.Err.Error()}})
		s.Errors++
	}
	s.Tests = len(s.Cases)
	return s
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

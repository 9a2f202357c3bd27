package pipeline

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/finding"
)

// Annotation is one thing that a CI system shows beside the code that it is about.
type Annotation struct {
	Level AnnotationLevel
	Code  string // of the finding, or Failure.Kind
	File  string // relative to the source; "" for one that is about no file
	Line  int    // 0 when it is not known
	Text  string
}

// AnnotationLevel says what an Annotation means.
type AnnotationLevel int

// Levels. Errors come with an exit code other than 0 and 3.
const (
	AnnotationInvalid AnnotationLevel = iota
	AnnotationNotice
	AnnotationWarning
	AnnotationError
)

// ReadAnnotations reads the JSON of a Report or a Failure, and gives what it tells: nothing for an update without
// warnings.
func ReadAnnotations(data []byte) ([]Annotation, error) {
	var r struct {
		Failure
		ID       string           `json:"id"`
		Warnings finding.Warnings `json:"warnings"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if r.ID == "" && r.ExitCode == 0 {
		return nil, errors.New("neither an update's id nor an exit_code in it")
	}
	var out []Annotation
	for _, w := range r.Warnings {
		out = append(out, ofFinding(AnnotationWarning, w))
	}
	if r.ExitCode == 0 {
		return out, nil
	}
	before := len(out)
	for _, f := range r.Refusals {
		out = append(out, ofFinding(AnnotationError, f))
	}
	for _, d := range r.Differences {
		out = append(out, Annotation{AnnotationError, r.Kind, d.Unit, 0, d.String()})
	}
	if b := r.Build; b != nil {
		file, line, text := splitPlace(b.FirstError)
		if text == "" {
			text = r.Message
		}
		out = append(out, Annotation{AnnotationError, r.Kind, file, line, text})
	}
	if len(out) > before {
		return out, nil
	}
	level := AnnotationError
	if r.ExitCode == ExitNoChange {
		level = AnnotationNotice
	}
	return append(out, Annotation{Level: level, Code: r.Kind, Text: r.Message}), nil
}

func ofFinding(level AnnotationLevel, f diff.Finding) Annotation {
	a := Annotation{Level: level, Code: string(f.Code), File: f.Unit, Text: fmt.Sprintf("%s: %s; %s", f.Subject, f.Reason, f.Remedy)}
	if file, line, _ := splitPlace(f.Source + ":"); line > 0 {
		a.File, a.Line = file, line
	}
	return a
}

// messagePlace matches what a compiler's message begins with: "fs/namei.c:12:3: ", "fs/namei.c:12:".
var messagePlace = regexp.MustCompile(`^([^:\s]+):(\d{1,9}):(?:\d+:)?\s?(.*)$`)

// splitPlace takes file and line off a compiler's message; 0 and all of the text if it names none.
func splitPlace(message string) (file string, line int, text string) {
	m := messagePlace.FindStringSubmatch(message)
	if m == nil {
		return "", 0, message
	}
	line, _ = strconv.Atoi(m[2]) // nine digits at most
	return m[1], line, m[3]
}

// WorkflowCommands are annotations as GitHub Actions reads them from a job's output, one to a line.
//
// Source: "Workflow commands for GitHub Actions", setting a notice, warning or error message; the escapes are those of
// actions/toolkit, packages/core/src/command.ts.
func WorkflowCommands(list []Annotation) string {
	var b strings.Builder
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, a := range list {
		fmt.Fprintf(&b, "::%s ", [...]string{AnnotationInvalid: "debug", AnnotationNotice: "notice", AnnotationWarning: "warning", AnnotationError: "error"}[a.Level])
		if a.File != "" {
			fmt.Fprintf(&b, "file=%s,", property.Replace(a.File))
		}
		if a.Line > 0 {
			fmt.Fprintf(&b, "line=%d,", a.Line)
		}
		fmt.Fprintf(&b, "title=%s::%s\n", property.Replace("livesplice "+a.Code), data.Replace(a.Text))
	}
	return b.String()
}

// CodeQualityIssue is one entry of GitLab's report of the type codequality.
//
// Source: GitLab documentation, "Code Quality report format"; it is a subset of Code Climate's.
type CodeQualityIssue struct {
	Description string              `json:"description"`
	CheckName   string              `json:"check_name"`
	Fingerprint string              `json:"fingerprint"` // the same as long as the issue is
	Severity    string              `json:"severity"`    // info, minor, major, critical or blocker
	Location    CodeQualityLocation `json:"location"`
}

// CodeQualityLocation is a line of a file.
type CodeQualityLocation struct {
	Path  string           `json:"path"` // relative to the repository
	Lines CodeQualityLines `json:"lines"`
}

// CodeQualityLines begin at Begin, from 1.
type CodeQualityLines struct {
	Begin int `json:"begin"`
}

// CodeQuality are annotations as GitLab reads them from a file. One that is about no file gets the path ".", since the
// format demands one.
func CodeQuality(list []Annotation) []CodeQualityIssue {
	out := []CodeQualityIssue{}
	for _, a := range list {
		issue := CodeQualityIssue{Description: a.Text, CheckName: "livesplice-" + a.Code,
			Severity: [...]string{AnnotationInvalid: "info", AnnotationNotice: "info", AnnotationWarning: "minor", AnnotationError: "blocker"}[a.Level],
			Location: CodeQualityLocation{Path: a.File, Lines: CodeQualityLines{Begin: max(1, a.Line)}}}
		if issue.Location.Path == "" {
			issue.Location.Path = "."
		}
		// Without the line: an issue stays the same one when others move it.
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", issue.CheckName, issue.Location.Path, a.Text))
		issue.Fingerprint = fmt.Sprintf("%x", sum[:16])
		out = append(out, issue)
	}
	return out
}

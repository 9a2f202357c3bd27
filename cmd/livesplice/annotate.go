package main

import (
	"io"

	"livesplice/pipeline"
	"livesplice/pkgfmt"
)

type annotateCmd struct {
	Result string `arg:"" help:"What livesplice create --json printed, whether it made an update or not."`
	As     string `required:"" enum:"github,gitlab" help:"For whom: github (workflow commands, to be printed by a job), gitlab (a Code Quality report)."`
}

// Help is shown by --help.
func (annotateCmd) Help() string {
	return `Shows refusals, mismatches, build errors and warnings beside the code that they are about. It ends with 0 whatever the result
says: the exit code of create is what a job fails by.

Example:
  livesplice create --json ... fix.patch >result.json || code=$?
  livesplice annotate --as github result.json
  exit ${code-0}`
}

// maxResult bounds a result, in bytes: a report of an update with tens of thousands of functions.
const maxResult = 64 << 20

func (c *annotateCmd) Run(e *env) error {
	const want = "what livesplice create --json printed"
	data, err := pkgfmt.ReadFile(c.Result, want, maxResult)
	if err != nil {
		return err
	}
	list, err := pipeline.ReadAnnotations(data)
	if err != nil {
		return &pkgfmt.InputError{Path: c.Result, Want: want, Err: err}
	}
	if c.As == "gitlab" {
		return e.json(pipeline.CodeQuality(list))
	}
	_, err = io.WriteString(e.stdout, pipeline.WorkflowCommands(list))
	return err
}

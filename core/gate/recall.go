package gate

import (
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
)

// recall returns the verdict of an earlier job of the same pipeline, from the document that it wrote.
//
// The document has to name the commit and the base that the platform names now. A commit cannot hold a file with its own
// name, so nothing that was committed takes the document's place where that was lost. Whoever can write into the
// pipeline's artifacts can write this one too: what is signed or promoted is judged again.
func (g *Gate) recall(p Plan) (*Result, error) {
	document, err := readPast(p.Recall)
	if err != nil {
		return nil, err
	}
	failed := func(err error) error {
		return &core.Failure{Doing: "end with the verdict in " + p.Recall, Err: err,
			Hint: "let this job have the artifacts of the job that judged, in the same pipeline"}
	}
	said := document.Evidence.Change
	switch {
	case p.Change.Head == "":
		return nil, failed(errors.New("the platform does not say which commit this job is about"))
	case said == nil || said.Head == "":
		return nil, failed(errors.New("it does not say which commit it is about"))
	case said.Head != p.Change.Head || said.Base != p.Change.Base || said.Repository != p.Change.Repository:
		return nil, failed(fmt.Errorf("it is about %s, and this job about %s", changeWords(*said), changeWords(p.Change)))
	}
	r := &Result{Evidence: document.Evidence, Verdict: *document.Verdict, Started: document.Verdict.Time}
	r.Created, err = creationTime(g.Getenv, r.Started)
	return r, err
}

func changeWords(c core.Change) string {
	words := "commit " + c.Head
	if c.Base != "" {
		words += " on " + c.Base
	}
	if c.Repository != "" {
		words += " of " + c.Repository
	}
	return words
}

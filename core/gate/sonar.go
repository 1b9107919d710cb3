package gate

import (
	"context"
	"slices"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/sonar"
)

// variableSonarToken holds the token for the server: never a flag, which everybody on the machine could read.
const variableSonarToken = "SONAR_TOKEN"

// Sonar says what a SonarQube server is asked. The zero value asks nothing.
type Sonar struct {
	// Task is the report-task.txt of a scan.
	Task string
	// Project is the key of a project whose latest analysis is meant, on Branch, for PullRequest, or of the main branch;
	// with a Task, what the scan has to be of.
	Project, Branch, PullRequest string
	// URL is the server; empty is SonarQube Cloud. The token is sent nowhere else, whatever Task says.
	URL string
	// Wait is how long the analysis is waited for; 0 is five minutes.
	Wait time.Duration
}

// requiredSonar reports whether the plan says which server and project answer what the policy requires: the author of a
// change could name a server of his own.
func requiredSonar(p Plan, judge *policy.Policy) bool {
	return p.Sonar.asks() && slices.Contains(judge.Required(), sonar.Examination)
}

func (s *Sonar) asks() bool {
	return s.Task != "" || s.Project != "" || s.Branch != "" || s.PullRequest != ""
}

// asking is a question to a server; nil asks nothing.
type asking struct{ question *sonar.Question }

// asking checks what is to be asked, before anything else is done.
func (g *Gate) asking(s Sonar) (*asking, error) {
	if !s.asks() {
		return nil, nil
	}
	o := sonar.Options{Project: s.Project, Branch: s.Branch, PullRequest: s.PullRequest, URL: s.URL, Wait: s.Wait, Token: g.Getenv(variableSonarToken),
		UserAgent: "cleanbill/" + g.Version, Transport: network.Transport(g.Getenv), Log: g.named("sonar"),
		Patience: network.Patience{Attempts: 3, Budget: 30 * time.Second}.Filled()}
	if s.Task != "" {
		text, err := localfile.Read(s.Task, sonar.MaxTask)
		if err != nil {
			return nil, &core.Failure{Doing: "read " + s.Task, Err: err, Usage: true,
				Hint: "the scanner writes it to .scannerwork/report-task.txt, target/sonar/ or build/sonar/; it may have failed: see its log"}
		}
		task, err := sonar.ReadTask(text)
		if err != nil {
			return nil, &core.Failure{Doing: "read " + s.Task, Err: err, Usage: true, Hint: "name the report-task.txt that the scanner wrote"}
		}
		o.Task = &task
	}
	question, err := sonar.New(o)
	if err != nil {
		return nil, err
	}
	return &asking{question}, nil
}

// add asks, and adds what the server said to the results of other tools. An error is the end of the run's time.
func (a *asking) add(ctx context.Context, to []imported) ([]imported, error) {
	if a == nil {
		return to, nil
	}
	report, err := a.question.Ask(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return append(to, imported{file: a.question.Name(), report: report, unanswered: err}), nil
}

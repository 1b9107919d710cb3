package hook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// govulncheckTool is the name under which the tool's results stand in the evidence.
const govulncheckTool = "govulncheck"

// govulncheckMessage is one object of the stream.
//
// https://pkg.go.dev/golang.org/x/vuln/internal/govulncheck#Message
type govulncheckMessage struct {
	Config *struct {
		Protocol string `json:"protocol_version"`
		Scanner  string `json:"scanner_name"`
		Version  string `json:"scanner_version"`
		Level    string `json:"scan_level"`
	} `json:"config"`
	OSV *struct {
		ID      string   `json:"id"`
		Aliases []string `json:"aliases"`
	} `json:"osv"`
	Finding *struct {
		OSV   string `json:"osv"`
		Trace []struct {
			Module   string `json:"module"`
			Version  string `json:"version"`
			Package  string `json:"package"`
			Function string `json:"function"`
		} `json:"trace"`
	} `json:"finding"`
}

// maxMessages bounds a stream.
const maxMessages = 1_000_000

// Govulncheck reads the output of "govulncheck -json": for each flaw of a module that it was asked about, whether a
// call leads to it. A flaw that it names without a call is not reachable only if it looked for calls.
func Govulncheck(r io.Reader) (Report, error) {
	g := govulncheck{aliases: map[string][]string{}, found: map[[3]string]core.Reachability{}}
	messages := jsonstream.New(r)
	for n := 0; messages.More(); n++ {
		if n == maxMessages {
			return Report{}, fmt.Errorf("it has more than %d messages", maxMessages)
		}
		var m govulncheckMessage
		err := messages.Decode(&m, maxElement)
		if err == nil {
			err = g.message(&m)
		}
		if err != nil {
			return Report{}, fmt.Errorf("message %d: %w", n+1, err)
		}
	}
	if err := messages.End(); err != nil {
		return Report{}, err
	}
	if g.level == "" {
		return Report{}, errors.New("it does not begin with the configuration of the scan")
	}
	return g.report(), nil
}

type govulncheck struct {
	version, level string
	aliases        map[string][]string
	found          map[[3]string]core.Reachability // by id, module and version
}

func (g *govulncheck) message(m *govulncheckMessage) error {
	switch {
	case m.Config != nil:
		if g.level != "" {
			return errors.New("a second scan begins")
		}
		if m.Config.Scanner != govulncheckTool || !strings.HasPrefix(m.Config.Protocol, "v1.") {
			return fmt.Errorf("it is of %q, protocol %q; want %s, v1", m.Config.Scanner, m.Config.Protocol,
				govulncheckTool)
		}
		g.version, g.level = m.Config.Version, cmp.Or(m.Config.Level, "unknown")
	case g.level == "":
		return errors.New("it comes before the configuration of the scan")
	case m.OSV != nil:
		g.aliases[m.OSV.ID] = m.OSV.Aliases
	case m.Finding != nil:
		if m.Finding.OSV == "" || len(m.Finding.Trace) == 0 {
			return errors.New("a finding without a flaw or a trace")
		}
		at := m.Finding.Trace[0]
		key := [3]string{m.Finding.OSV, at.Module, at.Version}
		reach := core.ReachableUnknown
		switch {
		case at.Function != "":
			reach = core.ReachableYes
		case g.level == "symbol":
			reach = core.ReachableNo
		}
		if g.found[key] != core.ReachableYes {
			g.found[key] = reach
		}
	}
	return nil
}

func (g *govulncheck) report() Report {
	r := Report{Tool: govulncheckTool, Version: g.version}
	for key, reach := range g.found {
		ids := append([]string{key[0]}, g.aliases[key[0]]...)
		slices.Sort(ids)
		r.Reach = append(r.Reach, core.Reach{IDs: slices.Compact(ids), Ecosystem: "Go", Package: key[1],
			Version:   key[2],
			Reachable: reach, SeenBy: govulncheckTool})
	}
	slices.SortFunc(r.Reach, func(a, b core.Reach) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Version, b.Version), slices.Compare(a.IDs,
			b.IDs))
	})
	return r
}

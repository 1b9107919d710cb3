package gate

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// readImports reads the results of other tools. One that cannot be read is the user's mistake: what it might have said
// must not be missing in silence.
func readImports(files []string) ([]hook.Report, error) {
	var out []hook.Report
	for _, name := range files {
		f, _, err := localfile.Open(name)
		var r hook.Report
		if err == nil {
			r, err = hook.Read(f)
			f.Close()
		}
		if err != nil {
			return nil, &core.Failure{Doing: "read the results " + name, Err: err, Usage: true}
		}
		out = append(out, r)
	}
	return out, nil
}

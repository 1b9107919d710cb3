package advisory

import (
	"context"
	"embed"
	"io/fs"

	"github.com/cleanbill-ci/cleanbill/core"
)

//go:generate go run ./starter -from ../../../shared/data -out starter/set

// starterFiles is an OCI layout like every other set; starter/README.md says what is in it and where it is from.
//
//go:embed starter/set
var starterFiles embed.FS

// Starter opens the set that is embedded in the program: facts about the vulnerabilities that are known to be
// exploited and the best known of each ecosystem. It can find, but not clear.
func Starter() (*Set, error) {
	fail := func(err error) (*Set, error) {
		return nil, &core.Failure{Doing: "open the embedded advisories", Err: err,
			Hint: "the program is damaged: install it again"}
	}
	files, err := fs.Sub(starterFiles, "starter/set")
	if err != nil {
		return fail(err)
	}
	l := layout{files}
	head, err := l.head()
	if err != nil {
		return fail(err)
	}
	s, err := openSet(context.Background(), l, head)
	if err != nil {
		return fail(err)
	}
	s.source.Name, s.source.Starter = "embedded starter set", true
	return s, nil
}

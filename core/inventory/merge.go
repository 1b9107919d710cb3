package inventory

import "github.com/cleanbill-ci/cleanbill/core"

// Merge makes one package of all its copies again, after evidence of several jobs was put together.
func Merge(e *core.Evidence) { e.Packages = merge(e.Packages) }

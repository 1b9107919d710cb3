package inventory

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// removedDatabase counts the packages of one image whose database a layer removed, and names the last such layer.
// Nobody uninstalls all of a database's packages at once: the database went, and the software stayed. Packages that
// another database lists under the same name have only moved.
func removedDatabase(packages []core.Package) (gone, layer int) {
	type name struct{ purlType, name string }
	databases, names := make(map[string]bool), make(map[name]bool)
	for _, p := range packages {
		if !visibleSystem(p) {
			continue
		}
		names[name{purlType(p.Purl), p.Name}] = true
		for _, l := range p.Locations {
			databases[databaseOf(l.Path)] = true
		}
	}
	for _, p := range packages {
		t := purlType(p.Purl)
		if p.Visible() || !isDistribution(t) || names[name{t, p.Name}] {
			continue
		}
		for _, l := range p.Locations {
			if !databases[databaseOf(l.Path)] {
				gone, layer = gone+1, max(layer, *p.Origin.RemovedIn)
				break
			}
		}
	}
	return gone, layer
}

// databaseOf is the file that lists a package or, where the installer writes and removes one for each, their folder.
func databaseOf(file string) string {
	for _, folder := range []string{"var/lib/pacman/local/", "var/db/pkg/"} {
		if strings.HasPrefix(file, folder) {
			return folder
		}
	}
	return file
}

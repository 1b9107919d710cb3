package inventory

import (
	"io/fs"
	"path"
	"strings"
)

// The functions here make the predicates of the catalog. They are called for every file and every extractor, so they
// compare bytes and allocate nothing.

type predicate func(path string, info fs.FileInfo) bool

// named wants files of these names in any directory.
func named(names ...string) predicate {
	return func(p string, _ fs.FileInfo) bool { return hasName(p, names...) }
}

func hasName(p string, names ...string) bool {
	for _, n := range names {
		if strings.HasSuffix(p, n) && (len(p) == len(n) || p[len(p)-len(n)-1] == '/') {
			return true
		}
	}
	return false
}

// namedOutside wants files of these names that are not below a directory of the given name.
func namedOutside(directory string, names ...string) predicate {
	return func(p string, _ fs.FileInfo) bool { return hasName(p, names...) && !below(p, directory) }
}

// below reports whether one of the directories of p has the name.
func below(p, directory string) bool {
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if path.Base(dir) == directory {
			return true
		}
	}
	return false
}

// suffixed wants files whose path ends so.
func suffixed(suffixes ...string) predicate {
	return func(p string, _ fs.FileInfo) bool { return hasSuffix(p, suffixes...) }
}

func hasSuffix(p string, suffixes ...string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(p, s) {
			return true
		}
	}
	return false
}

// at wants these paths only.
func at(paths ...string) predicate {
	return func(p string, _ fs.FileInfo) bool {
		for _, want := range paths {
			if p == want {
				return true
			}
		}
		return false
	}
}

// suffixedOrAt wants files whose last path elements are these.
func suffixedOrAt(tail string) predicate {
	return func(p string, _ fs.FileInfo) bool { return hasName(p, tail) }
}

// relatedNamed and relatedSuffixed are the same for related files, of which only the path is known.
func relatedNamed(name string) func(string) bool {
	return func(p string) bool { return hasName(p, name) }
}

func relatedSuffixed(suffixes ...string) func(string) bool {
	return func(p string) bool { return hasSuffix(p, suffixes...) }
}

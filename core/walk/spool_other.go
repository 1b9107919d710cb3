//go:build !linux

package walk

// newSpool opens a temporary file.
func newSpool(dir string) (*spoolFile, error) { return newNamedSpool(dir) }

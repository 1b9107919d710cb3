package hook

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Report is what a tool found.
type Report struct {
	Tool     string
	Version  string
	Findings []core.Finding
	Reach    []core.Reach
}

// sniffLength is how much of a file is looked at to tell what it is, in bytes.
const sniffLength = 4096

// Read reads the results of a tool, whatever of the known formats they are in: govulncheck's JSON.
func Read(r io.Reader) (Report, error) {
	b := bufio.NewReaderSize(r, sniffLength)
	head, err := b.Peek(sniffLength)
	if err != nil && !errors.Is(err, io.EOF) {
		return Report{}, err
	}
	if bytes.Contains(head, []byte(`"scanner_name"`)) {
		return Govulncheck(b)
	}
	return Report{}, errors.New("it is of no format that is read; read is the output of: govulncheck -json")
}

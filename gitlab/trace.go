package gitlab

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// trace is the job's log. It keeps the first write error.
type trace struct {
	out io.Writer
	now func() time.Time
	err error
	// section is the one that is open.
	section string
}

// Write implements io.Writer.
func (t *trace) Write(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.out.Write(p)
	t.err = err
	return n, err
}

// start begins a section that is folded. Sections do not nest here.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func (t *trace) start(name, header string) {
	t.end()
	t.section = name
	fmt.Fprintf(t, "\x1b[0Ksection_start:%d:%s[collapsed=true]\r\x1b[0K%s\n", t.now().Unix(), name, header)
}

// end closes the section that is open, if one is.
func (t *trace) end() {
	if t.section == "" {
		return
	}
	fmt.Fprintf(t, "\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", t.now().Unix(), t.section)
	t.section = ""
}

// plainText passes on text without control characters but line ends and tabs: no colour of the report is lost, since
// none is asked for, and nobody's text can begin a section or rewrite a line.
type plainText struct {
	to io.Writer
}

// Write implements io.Writer.
func (p plainText) Write(b []byte) (int, error) {
	clean := strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\n' && r != '\t') || (r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, string(b))
	if _, err := io.WriteString(p.to, clean); err != nil {
		return 0, err
	}
	return len(b), nil
}

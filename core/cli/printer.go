package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/report"
)

// timeForm is how times are shown.
const timeForm = time.RFC3339

// printer writes for people and keeps the first error. Every text that it is given to fill in is made safe to show: most
// of it was written by others.
type printer struct {
	w   io.Writer
	err error
}

func (l *printer) printf(format string, args ...any) {
	if l.err != nil {
		return
	}
	safe := make([]any, len(args))
	for i, arg := range args {
		safe[i] = arg
		switch v := arg.(type) {
		case int, bool:
		default:
			safe[i] = report.SafeText(fmt.Sprint(v))
		}
	}
	_, l.err = fmt.Fprintf(l.w, format, safe...)
}

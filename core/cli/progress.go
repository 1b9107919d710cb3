package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// progress shows what a run is doing, on stderr: a bar for each layer on a terminal, plain lines elsewhere.
type progress interface {
	tell(gate.Event)
	// stop ends the display; nothing may be told after it.
	stop()
}

func (p *Program) newProgress() progress {
	how := p.global.progress
	if how == "auto" {
		how = "plain"
		if isTerminal(p.Stderr) && p.Getenv("CI") == "" && p.Getenv("TERM") != "dumb" {
			how = "bars"
		}
	}
	switch how {
	case "none":
		return silent{}
	case "bars":
		return newBars(p.Stderr)
	default:
		return &lines{w: p.Stderr}
	}
}

type silent struct{}

func (silent) tell(gate.Event) {}
func (silent) stop()           {}

// lines writes one line for each step that a person who reads a log wants to see.
type lines struct{ w io.Writer }

func (l *lines) tell(e gate.Event) {
	switch e.Kind {
	case gate.EventOpening:
		fmt.Fprintf(l.w, "opening %s\n", report.SafeText(e.Target))
	case gate.EventOpened:
		if e.Subject.Digest != "" {
			fmt.Fprintf(l.w, "opened %s, %s\n", e.Subject.Kind, e.Subject.Digest)
		}
	case gate.EventLayer:
		if e.Layer.Done {
			fmt.Fprintf(l.w, "read layer %d, %s, %s, %d files\n", e.Layer.Index, e.Layer.Digest.Short(), size(e.Layer.Size), e.Layer.Files)
		}
	case gate.EventAdvisories:
		fmt.Fprintf(l.w, "advisories: %s\n", report.SafeText(e.Text))
	case gate.EventFleet:
		fmt.Fprintf(l.w, "%s\n", report.SafeText(e.Text))
	case gate.EventMatching:
		fmt.Fprintf(l.w, "matching %d packages\n", e.Count)
	case gate.EventPushing:
		fmt.Fprintf(l.w, "pushing and attesting %s\n", report.SafeText(e.Target))
	case gate.EventWritten:
		fmt.Fprintf(l.w, "wrote %s\n", report.SafeText(e.Path))
	}
}

func (l *lines) stop() {}

// bars draws one bar for each layer that is being read; finished ones disappear, so that the verdict stands alone.
type bars struct {
	container *mpb.Progress
	mu        sync.Mutex
	layers    map[core.Digest]*mpb.Bar
}

func newBars(w io.Writer) *bars {
	return &bars{
		container: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithWidth(40)),
		layers:    map[core.Digest]*mpb.Bar{},
	}
}

func (b *bars) tell(e gate.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case gate.EventAdvisories:
		fmt.Fprintf(b.container, "advisories: %s\n", report.SafeText(e.Text))
	case gate.EventFleet:
		fmt.Fprintf(b.container, "%s\n", report.SafeText(e.Text))
	}
	if e.Kind != gate.EventLayer {
		return
	}
	bar, ok := b.layers[e.Layer.Digest]
	if !ok {
		name := fmt.Sprintf("layer %d  %s  ", e.Layer.Index, e.Layer.Digest.Short())
		bar = b.container.AddBar(e.Layer.Size,
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(name)),
			mpb.AppendDecorators(decor.CountersKibiByte(" % .1f of % .1f"), decor.Percentage(decor.WC{W: 6})))
		b.layers[e.Layer.Digest] = bar
	}
	bar.SetCurrent(e.Layer.Read)
	if e.Layer.Done {
		bar.SetTotal(-1, true)
	}
}

func (b *bars) stop() {
	b.mu.Lock()
	for _, bar := range b.layers {
		bar.Abort(true)
	}
	b.mu.Unlock()
	b.container.Wait()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalOptions says how to write for people on w. https://no-color.org
func (p *Program) terminalOptions(w io.Writer) report.TerminalOptions {
	o := report.TerminalOptions{Width: 80, Unicode: true}
	terminal := isTerminal(w)
	if terminal {
		if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width > 0 {
			o.Width = width
		}
	}
	if columns, err := strconv.Atoi(p.Getenv("COLUMNS")); err == nil && columns > 0 && !terminal {
		o.Width = columns
	}
	switch p.global.colour {
	case "always":
		o.Colour = true
	case "auto":
		o.Colour = terminal && p.Getenv("NO_COLOR") == "" && p.Getenv("TERM") != "dumb"
	}
	if lang := p.Getenv("LC_ALL") + p.Getenv("LC_CTYPE") + p.Getenv("LANG"); lang == "C" || lang == "POSIX" {
		o.Unicode = false
	}
	return o
}

// size writes bytes for people, in powers of 1024.
func size(n int64) string {
	const units = "KMGT"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

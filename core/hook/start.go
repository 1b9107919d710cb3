package hook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// overrun is the limit for which a run was ended.
type overrun struct{ what string }

func (o *overrun) Error() string { return o.what }

// start runs one command of the hook within its barriers and limits, and lets use read what it printed if it went well.
// The complaint is the end of what it printed on standard error, made safe.
func (r *run) start(ctx context.Context, argv []string, dir string, limits Limits, tree []grant,
	use func(stdout, stderr *capture) error) (complaint string, err error) {
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded, stop := context.WithTimeoutCause(ctx, limits.Time, &overrun{fmt.Sprintf("it ran longer than its time limit of %s", limits.Time)})
	defer stop()
	tooMuch := func() {
		cancel(&overrun{fmt.Sprintf("it printed more than its output limit of %d bytes", limits.Output)})
	}
	stdout, err := newCapture(r.runner.Dir, limits.Output, tooMuch)
	if err != nil {
		return "", err
	}
	defer stdout.close()
	stderr, err := newCapture(r.runner.Dir, limits.Output, tooMuch)
	if err != nil {
		return "", err
	}
	defer stderr.close()

	req, proxy, err := r.request(bounded, argv, dir, limits, tree)
	if err != nil {
		return "", err
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchDisk(bounded, r.own, limits.Disk, cancel)
	}()
	l, err := launch(bounded, r.runner.self(), req, stdout, stderr, func(l net.Listener) { go proxy.serve(bounded, l) })
	cause := context.Cause(bounded)
	cancel(nil)
	<-watched
	r.x.Enforced = append(r.x.Enforced, l.enforced...)
	r.x.Unenforced = append(r.x.Unenforced, l.unenforced...)
	r.x.Enforced = append(r.x.Enforced, enforcedEnvironment, enforcedTime, enforcedOutput, enforcedDisk)
	complaint = stderr.complaint(r.secrets)
	if err := r.judge(l, err, cause, limits, began); err != nil {
		return complaint + refusedHosts(proxy), err
	}
	return complaint, use(stdout, stderr)
}

// judge says what was wrong with a run, if something was.
func (r *run) judge(l launched, err, cause error, limits Limits, began time.Time) error {
	var over *overrun
	switch {
	case errors.As(cause, &over):
		return over
	case cause != nil:
		return fmt.Errorf("it was stopped after %s: %w", time.Since(began).Round(time.Second), cause)
	case err != nil:
		return err
	case !l.began || l.ending == nil:
		return errors.New("it did not begin")
	}
	switch l.ending.Limit {
	case enforcedMemory:
		return fmt.Errorf("it used more than its memory limit of %d bytes", limits.Memory)
	case enforcedTasks:
		return fmt.Errorf("it started more than its limit of %d processes", limits.Tasks)
	}
	if why := explainExit(*l.ending, r.hook.Exits); why != "" {
		return errors.New(why)
	}
	return nil
}

// refusedHosts says which hosts a hook asked for in vain, which is often why it failed.
func refusedHosts(p *proxy) string {
	if p == nil {
		return ""
	}
	asked := p.asked()
	if len(asked) == 0 {
		return ""
	}
	return fmt.Sprintf(" (it asked for hosts that it is not granted: %q)", asked)
}

// request puts together what the shim needs to know.
func (r *run) request(ctx context.Context, argv []string, dir string, limits Limits, tree []grant) (request, *proxy, error) {
	req := request{
		Path: r.tool.path, Argv: argv, Env: r.environment(), Dir: dir, Own: r.own,
		Grants: slices.Concat(r.grants, tree), Require: r.required(), Namespaces: r.runner.tried.namespaces,
		TCP: len(r.hook.Network) > 0, Unix: r.hook.UnixSockets,
		Memory: limits.Memory, Disk: limits.Disk, Tasks: limits.Tasks, Time: limits.Time,
	}
	if r.target.Survey != nil {
		req.Hide = r.target.Survey.hidden()
	}
	if !req.TCP {
		return req, nil, nil
	}
	p := newProxy(r.hook.Network)
	if req.Namespaces.Net {
		return req, p, nil // the shim makes the listener, in its namespace
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return req, nil, err
	}
	req.ProxyPort = listener.Addr().(*net.TCPAddr).Port
	go p.serve(ctx, listener)
	return req, p, nil
}

// diskEvery is how often the size of a hook's own folder is looked at.
const diskEvery = time.Second

// watchDisk ends the run when the hook's own folder grows too large.
func watchDisk(ctx context.Context, dir string, most int64, end context.CancelCauseFunc) {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if sizeOf(ctx, dir) > most {
			end(&overrun{fmt.Sprintf("it wrote more than its disk limit of %d bytes", most)})
			return
		}
	}
}

func sizeOf(ctx context.Context, dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return filepath.SkipAll
		}
		if err != nil {
			return nil // it was removed meanwhile
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += allocated(info)
		}
		return nil
	})
	return sum
}

// removeAll removes a hook's own folder, also what it made unreadable.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}

package hook

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// confinable reports whether hooks can be confined on this system at all.
const confinable = true

// Descriptors of the shim beside the standard streams.
const (
	fdRequest = 3 // the request, to its end
	fdReport  = 4 // what the shim says
	fdControl = 5 // ends when everything has to end, also when this process was killed
	fdPass    = 6 // takes the proxy's listener out of the namespace

	fdQuestions = 5 // of the inner stage: takes the descriptor of its questions
)

// killGrace is how long the shim gets to end all processes before it is killed itself.
const killGrace = 5 * time.Second

// launched is what came of one start.
type launched struct {
	enforced, unenforced []string
	began                bool
	ending               *ending
}

// launch starts the program of a request in the shim and waits for its end and that of all its processes. When ctx ends
// they are killed. serve gets the listener of the namespace's loopback, if the request is for TCP and has a namespace.
func launch(ctx context.Context, self string, req request, stdout, stderr io.Writer, serve func(net.Listener)) (launched, error) {
	s, err := newShim(self, req, stdout, stderr)
	if err != nil {
		return launched{}, err
	}
	defer s.close()
	if err := s.cmd.Start(); err != nil {
		return launched{}, &startError{err}
	}
	s.started()
	stop := context.AfterFunc(ctx, s.kill)
	defer stop()
	go func() { // it may not read, if it ends at once
		_ = json.NewEncoder(s.request).Encode(req)
		s.request.Close()
	}()
	if s.pass != nil {
		go s.receive(serve)
	}
	l, said := s.listen()
	waited := s.cmd.Wait()
	switch {
	case said != nil:
		return l, said
	case l.ending == nil && ctx.Err() != nil:
		l.ending = &ending{Signal: int(unix.SIGKILL)}
	case l.ending == nil:
		return l, fmt.Errorf("the shim ended before the hook: %v", waited)
	}
	return l, nil
}

// startError says that the shim could not be started, as in a namespace that is not to be had.
type startError struct{ err error }

func (e *startError) Error() string { return "start the shim: " + e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// shim is a started shim, seen from outside.
type shim struct {
	cmd     *exec.Cmd
	request *os.File // written
	report  *os.File // read
	control *os.File // closed to end everything
	pass    *net.UnixConn
	theirs  []*os.File
	killed  chan struct{}
}

func newShim(self string, req request, stdout, stderr io.Writer) (_ *shim, err error) {
	s := &shim{killed: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var theirRequest, theirReport, theirControl *os.File
	if theirRequest, s.request, err = os.Pipe(); err != nil {
		return nil, err
	}
	s.theirs = append(s.theirs, theirRequest)
	if s.report, theirReport, err = os.Pipe(); err != nil {
		return nil, err
	}
	s.theirs = append(s.theirs, theirReport)
	if theirControl, s.control, err = os.Pipe(); err != nil {
		return nil, err
	}
	s.theirs = append(s.theirs, theirControl)
	if req.TCP && req.Namespaces.Net {
		theirPass, err := s.passage()
		if err != nil {
			return nil, err
		}
		s.theirs = append(s.theirs, theirPass)
	}
	s.cmd = exec.Command(self, ShimCommand, stageOuter)
	s.cmd.Args[0] = "cleanbill" // by which a binary that is several programs knows which one it is
	s.cmd.Dir = "/"
	s.cmd.Env = []string{} // the shim needs none, and a hook could read it
	s.cmd.Stdout, s.cmd.Stderr = stdout, stderr
	s.cmd.ExtraFiles = s.theirs
	s.cmd.WaitDelay = killGrace
	s.cmd.SysProcAttr = namespaceAttributes(req.Namespaces)
	return s, nil
}

// passage makes the socket over which the shim hands a listener out of its namespace.
func (s *shim) passage() (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "passage"), os.NewFile(uintptr(pair[1]), "passage")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, err
	}
	s.pass = conn.(*net.UnixConn)
	return theirs, nil
}

// namespaceAttributes starts a process as the leader of a group of its own, in namespaces. In a user namespace it keeps
// its ids, so that files look the same.
func namespaceAttributes(n namespaces) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	for flag, wanted := range map[uintptr]bool{unix.CLONE_NEWUSER: n.User, unix.CLONE_NEWNS: n.Mount, unix.CLONE_NEWPID: n.PID,
		unix.CLONE_NEWNET: n.Net, unix.CLONE_NEWIPC: n.IPC} {
		if wanted {
			a.Cloneflags |= flag
		}
	}
	if n.User {
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		// Whoever is not root in its namespace would lose the namespace's capabilities when the shim is started.
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// namespaceChoices are the sets of namespaces to try, the best first.
func namespaceChoices() []namespaces {
	all := namespaces{Mount: true, PID: true, Net: true, IPC: true}
	inUser := all
	inUser.User = true
	if os.Geteuid() == 0 {
		return []namespaces{all, inUser, {}}
	}
	return []namespaces{inUser, {}}
}

// started closes what only the shim needs, so that its end is seen.
func (s *shim) started() {
	for _, f := range s.theirs {
		f.Close()
	}
	s.theirs = nil
}

// kill lets the shim end all processes, and ends it too if it takes too long.
func (s *shim) kill() {
	s.control.Close()
	pid := s.cmd.Process.Pid
	select {
	case <-s.killed: // it has ended
	case <-time.After(killGrace):
		_ = unix.Kill(-pid, unix.SIGKILL)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

func (s *shim) close() {
	for _, f := range append([]*os.File{s.request, s.report, s.control}, s.theirs...) {
		if f != nil {
			f.Close()
		}
	}
	if s.pass != nil {
		s.pass.Close()
	}
	select {
	case s.killed <- struct{}{}:
	default:
	}
}

// maxReportLine bounds a line of the shim, in bytes.
const maxReportLine = 64 << 10

// listen reads what the shim says until it ends.
func (s *shim) listen() (launched, error) {
	var l launched
	lines := bufio.NewScanner(s.report)
	lines.Buffer(nil, maxReportLine)
	for lines.Scan() {
		var r shimReport
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return l, fmt.Errorf("the shim said what cannot be read: %w", err)
		}
		l.enforced = append(l.enforced, r.Enforced...)
		l.unenforced = append(l.unenforced, r.Unenforced...)
		l.began = l.began || r.Began
		if r.Failed != "" {
			return l, errors.New(r.Failed)
		}
		if r.Ended != nil {
			l.ending = r.Ended
		}
	}
	return l, lines.Err()
}

// receive takes the listener that the shim made within its namespace.
func (s *shim) receive(serve func(net.Listener)) {
	buffer, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := s.pass.ReadMsgUnix(buffer, rights)
	if err != nil {
		return // the shim says why, or has ended
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return
	}
	unix.CloseOnExec(fds[0])
	f := os.NewFile(uintptr(fds[0]), "listener")
	listener, err := net.FileListener(f)
	f.Close()
	if err == nil {
		serve(listener)
	}
}

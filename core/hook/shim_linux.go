package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ShimCommand is the hidden command by which the program starts itself again to confine a hook.
const ShimCommand = "hook-shim"

// The stages of the shim. The outer one stays: it is the first process of the hook's namespaces, or at least the one that
// inherits orphans, keeps the limits, and ends everything. The inner one gives up what a hook must not have and becomes
// the hook.
const (
	stageOuter = "outer"
	stageInner = "inner"
)

// maxRequest bounds a request, in bytes.
const maxRequest = 64 << 20

// Shim runs a stage of the shim if args ask for one. A program that starts hooks calls it before it does anything else,
// and exits with the code.
func Shim(args []string) (code int, asked bool) {
	if len(args) != 2 || args[0] != ShimCommand {
		return 0, false
	}
	report := json.NewEncoder(os.NewFile(fdReport, "report"))
	var req request
	if err := json.NewDecoder(io.LimitReader(os.NewFile(fdRequest, "request"), maxRequest)).Decode(&req); err != nil {
		fmt.Fprintf(os.Stderr, "%s is started by cleanbill itself: %v\n", ShimCommand, err)
		return 2, true
	}
	stage := outer
	if args[1] == stageInner {
		stage = inner
	}
	if err := stage(req, report); err != nil {
		_ = report.Encode(shimReport{Failed: err.Error()})
		return 3, true
	}
	return 0, true
}

// outer prepares the namespaces, starts the inner stage and watches over it.
func outer(req request, report *json.Encoder) error {
	runtime.LockOSThread() // the inner stage ends with the thread that started it
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt the hook's orphans: %w", err)
	}
	// Whoever is not the owner of the machine cannot look into this process.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide the shim's memory: %w", err)
	}
	var said shimReport
	said.Enforced = []string{enforcedMemory}
	if req.Namespaces.PID {
		said.Enforced = append(said.Enforced, enforcedTree)
	}
	if err := prepareNamespaces(&req, &said); err != nil {
		return err
	}
	w := &warden{req: req, self: procSelf()}
	go w.awaitControl()
	req.Held = said.Enforced
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make the way of questions: %w", err)
	}
	child, err := startInner(req, pair[1])
	unix.Close(pair[1])
	if err != nil {
		return fmt.Errorf("start the inner stage: %w", err)
	}
	w.child = child
	go w.receiveQuestions(pair[0])
	if err := report.Encode(said); err != nil {
		return err
	}
	end := w.watch()
	return report.Encode(shimReport{Ended: &end})
}

// startInner starts the second stage with the request on a pipe, the report's descriptor, and where to send the
// descriptor of its questions.
func startInner(req request, questions int) (int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"cleanbill", ShimCommand, stageInner}, &syscall.ProcAttr{
		Dir: "/", Env: []string{}, Files: []uintptr{null.Fd(), 1, 2, reader.Fd(), fdReport, uintptr(questions)},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		writer.Close()
		return 0, err
	}
	go func() {
		_ = json.NewEncoder(writer).Encode(req) // if it does not read, it says why itself
		writer.Close()
	}()
	return pid, nil
}

// warden watches over the processes of a hook.
type warden struct {
	req   request
	self  int // the shim's number in /proc
	child int
	limit atomic.Pointer[string] // the first limit that was exceeded
	over  atomic.Bool            // everything has to end
}

// awaitControl ends everything when the other end of the control pipe is closed, by intent or by the death of its owner.
func (w *warden) awaitControl() {
	_, _ = os.NewFile(fdControl, "control").Read(make([]byte, 1))
	w.over.Store(true)
	w.killAll()
}

// watchEvery is how often the hook's memory and processes are counted.
const watchEvery = 100 * time.Millisecond

// watch waits for the hook, ends what it leaves behind, and says how it went.
func (w *warden) watch() ending {
	done := make(chan struct{})
	go w.count(done)
	var end ending
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil { // no child is left
			break
		}
		if pid != w.child {
			if w.over.Load() {
				w.killAll()
			}
			continue
		}
		end.Exit = status.ExitStatus()
		if status.Signaled() {
			end.Exit, end.Signal = 0, int(status.Signal())
		}
		end.Left = len(w.descendants())
		w.over.Store(true)
		w.killAll()
	}
	close(done)
	if l := w.limit.Load(); l != nil {
		end.Limit = *l
	}
	return end
}

// count looks at all processes of the hook at short intervals.
func (w *warden) count(done <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		all := w.descendants()
		var memory int64
		for _, p := range all {
			memory += p.memory
		}
		switch {
		case w.over.Load():
		case memory > w.req.Memory:
			w.exceeded(enforcedMemory)
		case len(all) > w.req.Tasks:
			w.exceeded(enforcedTasks)
		}
		if w.over.Load() {
			w.killAll() // again, for what was started meanwhile
		}
	}
}

func (w *warden) exceeded(limit string) {
	w.limit.CompareAndSwap(nil, &limit)
	w.over.Store(true)
}

// killAll kills every process of the hook. In a namespace that is one call, which misses none.
func (w *warden) killAll() {
	if w.req.Namespaces.PID {
		_ = unix.Kill(-1, unix.SIGKILL)
		return
	}
	// Their questions are answered with no by now, so that they start no others. Where they do not ask, all are stopped
	// first, until none is found that was not: what is stopped starts nothing while the rest is looked for.
	for range 200 {
		stopped := map[int]bool{}
		for range 20 {
			fresh := false
			for _, p := range w.descendants() {
				if !stopped[p.pid] {
					stopped[p.pid], fresh = true, true
					_ = unix.Kill(p.pid, unix.SIGSTOP)
				}
			}
			if !fresh {
				break
			}
		}
		if len(stopped) == 0 {
			return
		}
		for pid := range stopped {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// process is one that /proc shows.
type process struct {
	pid, parent int
	memory      int64 // bytes of its own, not counting what it shares
}

// descendants are all processes below this one.
func (w *warden) descendants() []process {
	children := map[int][]process{}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		if p, ok := readProcess(name); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	var all []process
	for next := []int{w.self}; len(next) > 0; next = next[1:] {
		for _, p := range children[next[0]] {
			all = append(all, p)
			next = append(next, p.pid)
		}
		delete(children, next[0])
	}
	return all
}

// readProcess reads the parent and the memory of a process. One that ended but was not waited for does not count.
//
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func readProcess(name string) (process, bool) {
	pid, err := strconv.Atoi(name)
	if err != nil {
		return process{}, false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", name, "stat"))
	if err != nil {
		return process{}, false
	}
	// The command in parentheses may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" {
		return process{}, false
	}
	p := process{pid: pid}
	p.parent, _ = strconv.Atoi(fields[1])
	if statm, err := os.ReadFile(filepath.Join("/proc", name, "statm")); err == nil {
		var size, resident, shared int64
		if _, err := fmt.Sscan(string(statm), &size, &resident, &shared); err == nil {
			p.memory = (resident - shared) * int64(os.Getpagesize())
		}
	}
	return p, true
}

// procSelf is the number that /proc gives this process, which is another one where /proc is of an outer namespace.
func procSelf() int {
	link, err := os.Readlink("/proc/self")
	if err != nil {
		return os.Getpid()
	}
	n, err := strconv.Atoi(link)
	if err != nil {
		return os.Getpid()
	}
	return n
}

// openLoopback brings the namespace's loopback interface up, and hands out a listener on it.
func openLoopback(req *request) error {
	if err := raiseLoopback(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	address := listener.Addr().(*net.TCPAddr)
	f, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer f.Close()
	req.ProxyPort = address.Port
	return unix.Sendmsg(fdPass, []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0)
}

func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

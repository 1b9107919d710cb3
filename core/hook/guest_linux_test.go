package hook_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cleanbill-ci/cleanbill/core/hook"
)

// guestName is the name under which the test binary is a hook; each run of the tests has its own, to know its processes by.
var guestName = guestPrefix + strconv.Itoa(os.Getpid())

const guestPrefix = "cleanbill-guest-"

// TestMain lets the test binary be the shim, which starts itself again, and the hostile hook within it.
func TestMain(m *testing.M) {
	if code, asked := hook.Shim(os.Args[1:]); asked {
		os.Exit(code)
	}
	if name := filepath.Base(os.Args[0]); strings.HasPrefix(name, guestPrefix) {
		guestName = name
		os.Exit(guest(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// stay is how long a guest stays that would stay for ever: it ends by itself, should the barriers fail.
const stay = 40 * time.Second

// report is what the guest prints when it has done its worst: a report that is read.
func report() {
	fmt.Println(`{"config":{"protocol_version":"v1.0.0","scanner_name":"govulncheck","scanner_version":"v1.9.0","scan_level":"symbol"}}`)
}

// guest is a hook that tries one thing and says on standard error how it went. Its exit code is 0 if the thing was
// prevented, 42 if it was not.
func guest(args []string) int {
	tries := map[string]func(args []string) error{
		"report": func([]string) error { return errors.New("nothing was tried") },
		"hang":   func([]string) error { time.Sleep(stay); return nil },
		"flood": func([]string) error {
			for range 1000 { // 60 MB
				os.Stdout.Write(bytes.Repeat([]byte("flood "), 10_000))
			}
			return nil
		},
		"exit": func(args []string) error {
			code, _ := strconv.Atoi(args[0])
			fmt.Fprintln(os.Stderr, strings.Join(args[1:], " "))
			os.Exit(code)
			return nil
		},
		"die":       func([]string) error { return unix.Kill(os.Getpid(), unix.SIGKILL) },
		"memory":    eatMemory,
		"together":  eatTogether,
		"fill":      fillDisk,
		"fork":      forkBomb,
		"orphan":    orphan,
		"socket":    openSockets,
		"docker":    func(args []string) error { return dial("unix", args[0]) },
		"read":      readFiles,
		"write":     writeFiles,
		"trace":     trace,
		"kill":      func(args []string) error { pid, _ := strconv.Atoi(args[0]); return unix.Kill(pid, unix.SIGTERM) },
		"namespace": newNamespaces,
		"get":       get,
		"env":       func([]string) error { fmt.Fprintln(os.Stderr, os.Environ()); return nil },
		"symlink":   func(args []string) error { return os.Symlink(args[0], args[1]) },
		"status":    status,
	}
	err := tries[args[0]](args[1:])
	report()
	if err == nil {
		fmt.Fprintln(os.Stderr, "it was not prevented")
		return 42
	}
	fmt.Fprintln(os.Stderr, "prevented:", err)
	return 0
}

// start starts another guest, in a session of its own.
func start(args ...string) error {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = guestName
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

func eatMemory([]string) error {
	var kept [][]byte
	for range 1024 {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i)
		}
		kept = append(kept, block)
	}
	return fmt.Errorf("%d MiB were not enough", len(kept))
}

// eatTogether uses in several processes what none may use alone.
func eatTogether(args []string) error {
	if len(args) > 0 {
		block := make([]byte, 250<<20)
		for i := range block {
			block[i] = byte(i)
		}
		time.Sleep(stay)
		runtime.KeepAlive(block)
		return nil
	}
	for range 4 {
		if err := start("together", "part"); err != nil {
			return err
		}
	}
	time.Sleep(stay)
	return nil
}

func fillDisk(args []string) error {
	for i := range 256 {
		if err := os.WriteFile(filepath.Join(os.Getenv("TMPDIR"), strconv.Itoa(i)), make([]byte, 1<<20), 0o600); err != nil {
			return err
		}
	}
	time.Sleep(stay) // sizes are looked at from time to time
	return nil
}

// What the bomb is bounded by itself, so that it harms no machine on which the barriers fail: no process of it forks
// again, it has at most bombDepth generations, and all end at a time that the first one sets.
const (
	bombDepth = 6 // 2 + 4 + ... + 64 processes
	bombTime  = 8 * time.Second
)

// forkBomb starts itself twice, and so do those. Its arguments are the generations that are left, and the time of its end.
func forkBomb(args []string) error {
	depth, end := bombDepth, time.Now().Add(bombTime)
	if len(args) == 2 {
		depth, _ = strconv.Atoi(args[0])
		unixTime, _ := strconv.ParseInt(args[1], 10, 64)
		end = time.Unix(unixTime, 0)
	}
	if depth = min(depth, bombDepth); depth > 0 && time.Until(end) > 0 {
		for range 2 {
			if err := start("fork", strconv.Itoa(depth-1), strconv.FormatInt(end.Unix(), 10)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	time.Sleep(min(time.Until(end), bombTime))
	return nil
}

// orphan leaves a process behind that has left its session and its parent, and ends well itself.
func orphan(args []string) error {
	if len(args) > 0 {
		time.Sleep(stay)
		return nil
	}
	for range 3 {
		if err := start("orphan", "stay"); err != nil {
			return nil
		}
	}
	time.Sleep(200 * time.Millisecond)
	return errors.New("three are left behind")
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, time.Second)
	if err == nil {
		c.Close()
	}
	return err
}

// openSockets tries every family and type that could leave the machine or reach another program on it.
func openSockets([]string) error {
	for _, s := range [][2]int{{unix.AF_INET, unix.SOCK_STREAM}, {unix.AF_INET, unix.SOCK_DGRAM}, {unix.AF_INET6, unix.SOCK_STREAM},
		{unix.AF_INET, unix.SOCK_RAW}, {unix.AF_NETLINK, unix.SOCK_RAW}, {unix.AF_PACKET, unix.SOCK_RAW}, {unix.AF_VSOCK, unix.SOCK_STREAM},
		{unix.AF_ALG, unix.SOCK_SEQPACKET}, {unix.AF_UNIX, unix.SOCK_STREAM}, {unix.AF_UNIX, unix.SOCK_DGRAM}} {
		if fd, err := unix.Socket(s[0], s[1], 0); err == nil {
			unix.Close(fd)
			fmt.Fprintln(os.Stderr, "a socket of", s)
			return nil
		}
	}
	if _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0); err == nil {
		fmt.Fprintln(os.Stderr, "a pair of datagram sockets")
		return nil
	}
	if _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
		fmt.Fprintln(os.Stderr, "no pair of sockets:", err)
		return nil
	}
	return errors.New("no sockets")
}

func readFiles(args []string) error {
	for _, name := range args {
		if f, err := os.Open(name); err == nil {
			if n, _ := f.Read(make([]byte, 16)); n > 0 {
				fmt.Fprintln(os.Stderr, "read", name)
				return nil
			}
		}
	}
	return errors.New("nothing could be read")
}

func writeFiles(args []string) error {
	for _, name := range args {
		for _, flags := range []int{os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_CREATE} {
			if f, err := os.OpenFile(name, flags, 0o644); err == nil {
				f.Close()
				fmt.Fprintln(os.Stderr, "opened to write", name)
				return nil
			}
		}
		if os.Remove(name) == nil || os.Rename(name, name+".moved") == nil {
			fmt.Fprintln(os.Stderr, "removed or renamed", name)
			return nil
		}
		before, _ := os.Stat(name)
		_ = os.Chmod(name, 0o751) // it may pretend to succeed
		if after, err := os.Stat(name); err == nil && before != nil && after.Mode() != before.Mode() {
			fmt.Fprintln(os.Stderr, "changed the mode of", name)
			return nil
		}
	}
	return errors.New("nothing could be written")
}

// trace tries to look into processes by their numbers.
func trace(args []string) error {
	for _, word := range args {
		pid, _ := strconv.Atoi(word)
		if unix.PtraceAttach(pid) == nil || unix.PtraceSeize(pid) == nil {
			fmt.Fprintln(os.Stderr, "traced", pid)
			return nil
		}
		local := make([]byte, 8)
		if _, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &local[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0); !errors.Is(err, unix.EPERM) {
			fmt.Fprintln(os.Stderr, "process_vm_readv:", err)
			return nil
		}
	}
	return errors.New("no process could be traced")
}

func newNamespaces([]string) error {
	for _, err := range []error{unix.Unshare(unix.CLONE_NEWUSER), unix.Unshare(unix.CLONE_NEWNS), unix.Mount("tmpfs", "/tmp", "tmpfs", 0, ""),
		unix.Chroot("/")} {
		if err == nil {
			return nil
		}
	}
	cmd := exec.Command("/proc/self/exe", "report")
	cmd.Args[0] = guestName
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	if cmd.Run() == nil {
		return nil
	}
	if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno != unix.ENOSYS {
		fmt.Fprintln(os.Stderr, "io_uring:", errno)
		return nil
	}
	return errors.New("no namespaces")
}

// get fetches a URL by the proxy of the environment, if there is one.
func get(args []string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if proxy, err := url.Parse(os.Getenv("HTTPS_PROXY")); err == nil && proxy.Host != "" {
		transport.Proxy = http.ProxyURL(proxy)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: transport}
	for _, address := range args {
		resp, err := client.Get(address)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Fprintf(os.Stderr, "got %s\n", text)
	}
	return nil
}

// status prints what the kernel says of this process.
func status([]string) error {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		for _, key := range []string{"CapPrm", "CapBnd", "CapEff", "NoNewPrivs", "Seccomp:", "Groups"} {
			if strings.HasPrefix(lines.Text(), key) {
				fmt.Fprint(os.Stderr, strings.Join(strings.Fields(lines.Text()), "")+" ")
			}
		}
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		link, _ := os.Readlink("/proc/self/fd/" + e.Name())
		fmt.Fprintf(os.Stderr, "%s=%s ", e.Name(), link)
	}
	return errors.New("it is so")
}

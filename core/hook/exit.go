package hook

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// explainExit says what an exit code or a signal means, or nothing if it is one of the accepted codes.
//
// https://tldp.org/LDP/abs/html/exitcodes.html
func explainExit(e ending, accepted []int) string {
	switch {
	case e.Signal == int(syscall.SIGXCPU):
		return "it was ended by SIGXCPU: it used more processor time than its time limit allows"
	case e.Signal == int(syscall.SIGXFSZ):
		return "it was ended by SIGXFSZ: it wrote a file larger than its disk limit"
	case e.Signal == int(syscall.SIGSYS):
		return "it was ended by SIGSYS: it made a system call of another architecture"
	case e.Signal != 0:
		return "it was ended by " + signalName(e.Signal)
	case slices.Contains(accepted, e.Exit):
		return ""
	case e.Exit == 126:
		return "it ended with exit code 126: something could not be executed"
	case e.Exit == 127:
		return "it ended with exit code 127: a command was not found"
	case e.Exit == 137:
		return "it ended with exit code 137: something that it started was killed (SIGKILL), often for want of memory"
	case e.Exit > 128 && e.Exit < 128+65:
		return fmt.Sprintf("it ended with exit code %d: something that it started was ended by %s", e.Exit, signalName(e.Exit-128))
	}
	return fmt.Sprintf("it ended with exit code %d; accepted are %s", e.Exit, strings.Trim(fmt.Sprint(accepted), "[]"))
}

// signalName names the signals that end programs.
func signalName(n int) string {
	names := map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM", syscall.SIGSEGV: "SIGSEGV",
		syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE", syscall.SIGILL: "SIGILL",
		syscall.SIGPIPE: "SIGPIPE", syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT",
		syscall.SIGALRM: "SIGALRM", syscall.SIGSYS: "SIGSYS", syscall.SIGTRAP: "SIGTRAP", syscall.SIGXCPU: "SIGXCPU",
		syscall.SIGXFSZ: "SIGXFSZ"}
	if name := names[syscall.Signal(n)]; name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}

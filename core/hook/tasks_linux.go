package hook

import (
	"errors"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notification is struct seccomp_notif, and answered struct seccomp_notif_resp.
//
// https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	data  [64]byte
}

type answered struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// tasks lets a hook start processes and threads up to its limit, where no namespace bounds their number. It is a question of the
// kernel for each, so a hook cannot outrun it, and once everything has to end nothing is started any more.
type tasks struct {
	warden *warden

	mu   sync.Mutex
	left int // that may start before they are counted again
}

// answer answers the questions that come from the descriptor. It ends with the process.
func (t *tasks) answer(questions int) {
	for {
		var q notification
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(questions), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&q)))
		switch {
		case errno == unix.EINTR || errno == unix.ENOENT: // who asked has ended
			continue
		case errno != 0:
			return
		}
		// What is asked has been looked at by the filter already, and its arguments are numbers: to go on is safe.
		a := answered{id: q.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if !t.admit() {
			a.flags, a.errno = 0, -int32(unix.EAGAIN)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(questions), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	}
}

// admit reports whether one more may start.
func (t *tasks) admit() bool {
	if t.warden.over.Load() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 {
		t.left = max(0, t.warden.req.Tasks-len(t.warden.descendants()))
	}
	if t.left == 0 {
		t.warden.exceeded(enforcedTasks)
		return false
	}
	t.left--
	return true
}

// receiveQuestions takes the descriptor that the inner stage sends, and answers from then on.
func (w *warden) receiveQuestions(from int) {
	defer unix.Close(from)
	buffer, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(from, buffer, rights, unix.MSG_CMSG_CLOEXEC)
	for errors.Is(err, unix.EINTR) {
		_, n, _, _, err = unix.Recvmsg(from, buffer, rights, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return
	}
	if fds, err := unix.ParseUnixRights(&messages[0]); err == nil && len(fds) == 1 {
		t := &tasks{warden: w}
		t.answer(fds[0])
	}
}

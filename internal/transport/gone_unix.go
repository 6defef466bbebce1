//go:build unix

package transport

import (
	"os"

	"golang.org/x/sys/unix"
)

// readerGone reports that nobody can read what is written to f any more.
func readerGone(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	_ = raw.Control(func(fd uintptr) {
		// POLLOUT is not what is looked for, but macOS reports nothing unasked.
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(poll, 0)
		gone = err == nil && n > 0 && poll[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
	})
	return gone
}

package transport

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// takeLast takes the connections that the kernel has made already, and has it
// refuse all that come later. To close the socket would reset those that wait
// in its queue, and the requests that they may have sent would be lost.
func takeLast(ln *net.TCPListener) (last []net.Conn) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) { // its error is that of a closed socket: there is nothing to take
		for {
			conn, _, err := unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != nil {
				break
			}
			file := os.NewFile(uintptr(conn), "")
			if c, err := net.FileConn(file); err == nil {
				last = append(last, c)
			}
			file.Close()
		}
		_ = unix.Shutdown(int(fd), unix.SHUT_RD) // Close comes anyway
	})
	return last
}

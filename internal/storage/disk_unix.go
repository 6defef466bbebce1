//go:build unix

package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nonblock opens a pipe without waiting for its other end.
const nonblock = unix.O_NONBLOCK

// lock takes the file for this process alone, or fails at once. The system
// lets go of it when the file is closed, however the process ends.
func lock(f *os.File) error {
	return control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
}

// isLocked is the answer where somebody else has the lock.
func isLocked(err error) bool { return errors.Is(err, unix.EWOULDBLOCK) }

// linkCount is how many names a file has.
func linkCount(f *os.File) (uint64, error) {
	var stat unix.Stat_t
	err := control(f, func(fd int) error { return unix.Fstat(fd, &stat) })
	return uint64(stat.Nlink), err //nolint:unconvert // its type differs between systems
}

// freeSpace is what the disk of the file has left, in bytes.
func freeSpace(f *os.File) (free int64, ok bool) {
	var stat unix.Statfs_t
	if err := control(f, func(fd int) error { return unix.Fstatfs(fd, &stat) }); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true //nolint:unconvert // their types differ between systems
}

func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// isInvalid is the answer of file systems that can't sync a directory.
func isInvalid(err error) bool { return errors.Is(err, unix.EINVAL) }

package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writeBack lets the disk begin with bytes that are whole, so that less is left
// to wait for at the end. It is a hint; its failure means nothing.
func writeBack(f *os.File, off, n int64) {
	const begin = 2 // SYNC_FILE_RANGE_WRITE: without waiting
	_ = control(f, func(fd int) error { return unix.SyncFileRange(fd, off, n, begin) })
}

// allocate takes the room on the disk at once: writing is faster, and a disk
// that is too small says so before a byte is fetched.
func allocate(f *os.File, size int64) error {
	err := control(f, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

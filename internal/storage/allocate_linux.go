package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Flags of sync_file_range.
const (
	syncBegin = 2         // start to write, and don't wait
	syncWhole = 1 | 2 | 4 // wait until all is written
)

// beginWriting lets the disk start on bytes that are whole, so that less is
// left to wait for at the end. It is a hint; its failure means nothing.
func beginWriting(f *os.File, off, n int64) {
	_ = control(f, func(fd int) error { return unix.SyncFileRange(fd, off, n, syncBegin) })
}

// settle waits until bytes are written, and gives their memory back. An error
// must not be lost: the system tells it once.
func settle(f *os.File, off, n int64) error {
	err := control(f, func(fd int) error {
		if err := unix.SyncFileRange(fd, off, n, syncWhole); err != nil {
			return err
		}
		_ = unix.Fadvise(fd, off, n, unix.FADV_DONTNEED) // a hint
		return nil
	})
	for _, unable := range []error{unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.ESPIPE} {
		if errors.Is(err, unable) {
			return nil // it can't be done here, and nothing was reported
		}
	}
	return err
}

// allocate takes the room on the disk at once: writing is faster, and a disk
// that is too small says so before a byte is fetched.
func allocate(f *os.File, size int64) error {
	if size == 0 { // which the system calls invalid
		return nil
	}
	err := control(f, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

package storage

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// nonblock has no use here.
const nonblock = 0

// lock takes the file for this process alone, or fails at once. The system
// lets go of it when the file is closed, however the process ends.
func lock(f *os.File) error {
	const beyond = 1 << 30 // in units of 4 GiB: a place no file has, as Windows locks hinder reading
	at := &windows.Overlapped{OffsetHigh: beyond}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
}

// isLocked is the answer where somebody else has the lock.
func isLocked(err error) bool { return errors.Is(err, windows.ERROR_LOCK_VIOLATION) }

// linkCount is how many names a file has.
func linkCount(f *os.File) (uint64, error) {
	var info windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info)
	return uint64(info.NumberOfLinks), err
}

// freeSpace is what the disk of the file has left, in bytes.
func freeSpace(f *os.File) (free int64, ok bool) {
	dir, err := windows.UTF16PtrFromString(filepath.Dir(f.Name()))
	if err != nil {
		return 0, false
	}
	var available uint64
	if err := windows.GetDiskFreeSpaceEx(dir, &available, nil, nil); err != nil {
		return 0, false
	}
	return int64(available), true
}

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// isInvalid is the answer to syncing a directory, which Windows does not do.
func isInvalid(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_HANDLE) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

package storage

import (
	"errors"
	"syscall"
)

// The codes of winerror.h, which package syscall does not name.
const (
	errHandleDiskFull = syscall.Errno(39)
	errDiskFull       = syscall.Errno(112)
	errInvalidHandle  = syscall.Errno(6)
)

func isFull(err error) bool {
	return errors.Is(err, errDiskFull) || errors.Is(err, errHandleDiskFull)
}

// isInvalid is the answer to syncing a directory, which Windows does not do.
func isInvalid(err error) bool {
	return errors.Is(err, errInvalidHandle) || errors.Is(err, syscall.ERROR_ACCESS_DENIED)
}

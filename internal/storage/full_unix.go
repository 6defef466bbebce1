//go:build !windows

package storage

import (
	"errors"
	"syscall"
)

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isInvalid is the answer of file systems that can't sync a directory.
func isInvalid(err error) bool { return errors.Is(err, syscall.EINVAL) }

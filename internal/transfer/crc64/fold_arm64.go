package crc64

import "golang.org/x/sys/cpu"

var canFold = cpu.ARM64.HasPMULL

// fold folds each block of p over lanes. The length of p is a multiple of
// blockSize, and not 0.
//
//go:noescape
func fold(lanes *[blockSize]byte, p []byte, distance *[2]uint64)

package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// sending is a file on its way out: it counts, digests and reports what has
// been read of it.
type sending struct {
	io.Reader
	tell *progress
	size int64
	sent atomic.Int64

	mu     sync.Mutex // an answer may come before all has been read
	digest hash.Hash
}

func newSending(tell *progress, from io.Reader, size int64) *sending {
	return &sending{Reader: from, tell: tell, digest: sha256.New(), size: size}
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.mu.Lock()
	s.digest.Write(p[:n])
	s.mu.Unlock()
	s.tell.bytes(s.sent.Add(int64(n)), s.size)
	return n, err
}

// begun reports that bytes may have left.
func (s *sending) begun() bool { return s.sent.Load() > 0 }

// sum is the digest in hex of what was sent, "" where the answer came before
// all of it had been.
func (s *sending) sum() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent.Load() != s.size {
		return ""
	}
	return hex.EncodeToString(s.digest.Sum(nil))
}

package transfer

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"sync"

	"minimax-files-mcp/internal/transfer/crc64"
)

// A hasher digests an object in order, on a core of its own. It takes the
// bytes out of the buffers they come in, where they come in order; what an
// earlier run left, or another connection brought, it reads back from the sink.
type hasher struct {
	sha hash.Hash
	crc hash.Hash64 // nil where the version has none
	md5 hash.Hash   // nil where the version has none

	mu      sync.Mutex
	changed *sync.Cond
	fed     []fed
	next    int64 // the bytes before are digested, or about to be
	upTo    int64 // the bytes before are in the sink
	last    bool  // there will be no more
}

// fed is a buffer with the next bytes.
type fed struct {
	*buffer
	n int
}

func newHasher(v version) *hasher {
	h := &hasher{sha: sha256.New()}
	h.changed = sync.NewCond(&h.mu)
	switch {
	case v.CRC64 != "":
		h.crc = crc64.New()
	case v.MD5 != nil: // slower, and says no more than the other
		h.md5 = md5.New()
	}
	return h
}

// feed gives it the first n bytes of a buffer, which are the object's at off,
// if they are the next.
func (h *hasher) feed(b *buffer, n int, off int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if off != h.next {
		return
	}
	b.share()
	h.fed = append(h.fed, fed{b, n})
	h.next += int64(n)
	h.changed.Signal()
}

// extend says that the bytes before upTo are in the sink, and whether they are
// all.
func (h *hasher) extend(upTo int64, last bool) {
	h.mu.Lock()
	h.upTo, h.last = max(h.upTo, upTo), h.last || last
	h.mu.Unlock()
	h.changed.Signal()
}

// run digests until the last byte, or until ctx ends and extend is called.
func (h *hasher) run(ctx context.Context, sink io.ReaderAt) error {
	var own []byte // for what is read back
	for {
		h.mu.Lock()
		for len(h.fed) == 0 && h.next >= h.upTo && !h.last {
			h.changed.Wait()
		}
		fed, from, behind := h.fed, h.next, min(h.upTo-h.next, bufferSize)
		if h.fed = nil; len(fed) == 0 {
			h.next += max(0, behind)
		}
		h.mu.Unlock()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		switch {
		case len(fed) > 0:
			for _, f := range fed {
				h.digest(f.bytes[:f.n])
				f.release()
			}
		case behind > 0:
			if own == nil {
				own = make([]byte, bufferSize)
			}
			if _, err := sink.ReadAt(own[:behind], from); err != nil {
				return fmt.Errorf("read back at %d: %w", from, err)
			}
			h.digest(own[:behind])
		default:
			return nil
		}
	}
}

func (h *hasher) digest(p []byte) {
	const near = 32 << 10 // stays in the processor's cache from one digest to the next
	for p := range slices.Chunk(p, near) {
		h.sha.Write(p)
		if h.crc != nil {
			h.crc.Write(p)
		}
		if h.md5 != nil {
			h.md5.Write(p)
		}
	}
}

// check holds the digests against the version's, and names those it had.
func (h *hasher) check(v version) (by []string, err error) {
	by = []string{}
	if v.Size >= 0 {
		by = append(by, "length")
	}
	if h.crc != nil {
		if got := strconv.FormatUint(h.crc.Sum64(), 10); got != v.CRC64 {
			return nil, fmt.Errorf("CRC-64 is %s, the host says %s", got, v.CRC64)
		}
		by = append(by, "crc64")
	}
	if h.md5 != nil {
		if got := h.md5.Sum(nil); !bytes.Equal(got, v.MD5) {
			return nil, fmt.Errorf("MD5 is %x, the host says %x", got, v.MD5)
		}
		by = append(by, "md5")
	}
	return by, nil
}

func (h *hasher) sum() string { return hex.EncodeToString(h.sha.Sum(nil)) }

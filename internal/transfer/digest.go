package transfer

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strconv"
	"sync"

	"minimax-files-mcp/internal/transfer/crc64"
)

// A version is what tells one state of an object from another, and what its
// bytes can be checked by. A sink keeps it beside the parts.
type version struct {
	Size  int64  `json:"size"`            // -1 when not known
	ETag  string `json:"etag,omitempty"`  // strong ones only
	CRC64 string `json:"crc64,omitempty"` // x-oss-hash-crc64ecma: of the whole object, in decimal
	MD5   string `json:"md5,omitempty"`   // Content-MD5 of the whole object
}

func versionOf(obj *Object) version {
	v := version{Size: obj.Size, ETag: obj.Header.Get("ETag"), CRC64: obj.Header.Get("X-Oss-Hash-Crc64ecma")}
	if _, err := strconv.ParseUint(v.CRC64, 10, 64); err != nil {
		v.CRC64 = "" // some copied objects have none
	}
	if len(v.ETag) < 3 || v.ETag[0] != '"' {
		v.ETag = "" // absent, or weak: bytes may differ under it
	}
	if obj.Offset == 0 {
		if sum, err := base64.StdEncoding.DecodeString(obj.Header.Get("Content-Md5")); err == nil && len(sum) == md5.Size {
			v.MD5 = obj.Header.Get("Content-Md5")
		}
	}
	return v
}

// pinned reports that parts of this version can be fetched on their own: it
// can be asked for by name, and its end is known.
func (v version) pinned() bool { return v.ETag != "" && v.Size > 0 }

// matches reports that an answer is of this version.
func (v version) matches(obj *Object) bool {
	other := versionOf(obj)
	return v.Size == other.Size && v.ETag == other.ETag && (v.CRC64 == "" || other.CRC64 == "" || v.CRC64 == other.CRC64)
}

func (v version) encode() []byte {
	text, _ := json.Marshal(v) // strings and a number
	return text
}

func decodeVersion(text []byte) (v version, ok bool) {
	return v, json.Unmarshal(text, &v) == nil && v.pinned()
}

// A hasher digests what a sink holds, in order, on its own time: parts may
// come out of order, or from an earlier run, and one core can receive while
// another hashes.
type hasher struct {
	sha hash.Hash
	crc hash.Hash64
	md5 hash.Hash

	mu    sync.Mutex
	ready *sync.Cond
	upTo  int64 // the bytes before are there
	last  bool  // there will be no more
}

func newHasher(v version) *hasher {
	h := &hasher{sha: sha256.New()}
	h.ready = sync.NewCond(&h.mu)
	switch {
	case v.CRC64 != "":
		h.crc = crc64.New()
	case v.MD5 != "": // slower, and says no more than the other
		h.md5 = md5.New()
	}
	return h
}

// extend says that the bytes before upTo are there, and whether they are all.
func (h *hasher) extend(upTo int64, last bool) {
	h.mu.Lock()
	h.upTo, h.last = max(h.upTo, upTo), h.last || last
	h.mu.Unlock()
	h.ready.Signal()
}

// run digests until the last byte, or until ctx ends and extend is called.
func (h *hasher) run(ctx context.Context, from io.ReaderAt) error {
	buf := make([]byte, bufferSize)
	for pos := int64(0); ; {
		h.mu.Lock()
		for pos == h.upTo && !h.last {
			h.ready.Wait()
		}
		n, last := min(h.upTo-pos, bufferSize), h.last
		h.mu.Unlock()
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if n == 0 && last {
			return nil
		}
		if _, err := from.ReadAt(buf[:n], pos); err != nil {
			return fmt.Errorf("read back at %d: %w", pos, err)
		}
		h.digest(buf[:n])
		pos += n
	}
}

// digest has a core for each of the two digests there are at the most.
func (h *hasher) digest(p []byte) {
	var other sync.WaitGroup
	other.Go(func() {
		if h.crc != nil {
			h.crc.Write(p)
		}
		if h.md5 != nil {
			h.md5.Write(p)
		}
	})
	h.sha.Write(p)
	other.Wait()
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
		want, _ := base64.StdEncoding.DecodeString(v.MD5)
		if got := h.md5.Sum(nil); !bytes.Equal(got, want) {
			return nil, fmt.Errorf("MD5 is %x, the host says %x", got, want)
		}
		by = append(by, "md5")
	}
	return by, nil
}

func (h *hasher) sum() string { return hex.EncodeToString(h.sha.Sum(nil)) }

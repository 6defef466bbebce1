package sandbox

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
)

// An object is what the storage host holds: bytes, their length and digests.
type object struct {
	io.ReaderAt
	size int64

	pattern bool
	sent    atomic.Int64 // bytes that have left
	serving atomic.Int64 // requests that are answered now

	once sync.Once
	crc  uint64
	md5  []byte // nil for large ones, as OSS has none for a multipart upload
	sha  []byte
}

// unhashed is the size from which a pattern has no checksum: reading it all
// would keep the first request waiting. Copied objects on OSS have none either.
const unhashed = 1 << 30

// multipartSize is the size from which an object counts as uploaded in parts.
const multipartSize = 64 << 20

func bytesObject(b []byte) *object {
	return &object{ReaderAt: bytes.NewReader(b), size: int64(len(b))}
}

func fileObject(f *os.File, size int64) *object { return &object{ReaderAt: f, size: size} }

func patternObject(size int64) *object {
	return &object{ReaderAt: pattern{}, size: size, pattern: true}
}

// close removes a file that the object was spooled to.
func (o *object) close() {
	if f, ok := o.ReaderAt.(*os.File); ok {
		f.Close()
		_ = os.Remove(f.Name()) // one that was stored by name may be gone
	}
}

func (o *object) digest() {
	o.once.Do(func() {
		crc, sum := crc64.New(crc64.MakeTable(crc64.ECMA)), sha256.New()
		into := []io.Writer{crc, sum}
		var md hash.Hash
		if o.size < multipartSize {
			md = md5.New()
			into = append(into, md)
		}
		if _, err := io.CopyBuffer(io.MultiWriter(into...), io.NewSectionReader(o.ReaderAt, 0, o.size), make([]byte, 256<<10)); err != nil {
			panic(fmt.Sprintf("sandbox: an object of its own can't be read: %v", err))
		}
		o.crc, o.sha = crc.Sum64(), sum.Sum(nil)
		if md != nil {
			o.md5 = md.Sum(nil)
		}
	})
}

func (o *object) sha256() string {
	o.digest()
	return hex.EncodeToString(o.sha)
}

// etag is the MD5 in upper-case hex, as OSS writes it for a plain upload, and
// something else for one in parts.
func (o *object) etag() string {
	if o.pattern { // told by its size, without reading it
		return fmt.Sprintf(`"%032X-%d"`, o.size, (o.size+multipartSize-1)/multipartSize)
	}
	o.digest()
	if o.md5 == nil {
		return fmt.Sprintf(`"%X-%d"`, o.sha[:16], (o.size+multipartSize-1)/multipartSize)
	}
	return fmt.Sprintf(`"%X"`, o.md5)
}

// kind says whether the object was stored in one piece or in parts, as OSS
// does in x-oss-object-type.
func (o *object) kind() string {
	if o.pattern || o.size >= multipartSize {
		return "Multipart"
	}
	return "Normal"
}

func (o *object) contentMD5() string {
	o.digest()
	return base64.StdEncoding.EncodeToString(o.md5)
}

// pattern is endless data that takes no memory: one block of random bytes,
// over and over. Its length is a prime, so that a part written at a wrong
// offset shows.
type pattern struct{}

const patternLength = 1<<20 - 3

var patternBlock = sync.OnceValue(func() []byte {
	block := make([]byte, patternLength)
	random := rand.NewChaCha8([32]byte([]byte("minimax-files-mcp sandbox object")))
	_, _ = random.Read(block) // never fails
	return block
})

func (pattern) ReadAt(p []byte, off int64) (int, error) {
	block := patternBlock()
	for n := 0; n < len(p); {
		n += copy(p[n:], block[(off+int64(n))%patternLength:])
	}
	return len(p), nil
}

// Package crc64 computes the CRC-64 that Alibaba OSS sends as
// x-oss-hash-crc64ecma, the same sums as [hash/crc64] with its ECMA table,
// at the speed of memory where the processor can multiply without carries.
package crc64

import (
	"encoding/binary"
	"hash"
	"hash/crc64"
	"sync"
)

// table is made when it is needed first: the start is worth more.
var table = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(crc64.ECMA) })

// New returns a hash that begins with the sum of nothing.
func New() hash.Hash64 { return new(digest) }

type digest struct{ sum uint64 }

func (d *digest) Write(p []byte) (int, error) {
	d.sum = update(d.sum, p)
	return len(p), nil
}

func (d *digest) Sum64() uint64       { return d.sum }
func (d *digest) Sum(b []byte) []byte { return binary.BigEndian.AppendUint64(b, d.sum) }
func (d *digest) Reset()              { d.sum = 0 }
func (d *digest) Size() int           { return crc64.Size }
func (d *digest) BlockSize() int      { return 1 }

// blockSize is how many bytes are folded at a time: eight lanes of 16 bytes,
// enough of them that none waits for its multiplication.
const blockSize = 128

// update folds a long message: a block is moved over the one that follows it,
// by multiplying it by x to the power of the distance in bits, and added there.
// What is left in the end, one block, has the sum of the whole.
// [Intel's paper] on computing CRCs by carry-less multiplication explains why.
//
// [Intel's paper]: https://www.researchgate.net/publication/263424619_Fast_CRC_computation
func update(sum uint64, p []byte) uint64 {
	if canFold && len(p) >= 2*blockSize {
		whole := len(p) - len(p)%blockSize
		lanes := [blockSize]byte(p)
		head := binary.LittleEndian.Uint64(lanes[:])
		binary.LittleEndian.PutUint64(lanes[:], head^^sum) // sums are kept inverted
		fold(&lanes, p[blockSize:whole], &distance)
		sum, p = crc64.Update(^uint64(0), table(), lanes[:]), p[whole:]
	}
	return crc64.Update(sum, table(), p)
}

// distance moves a lane over a block: the factors for its first and its last
// eight bytes. The first are the higher powers, as the sum is bit-reversed; so
// is a product, which is why each is short of one x.
var distance = [2]uint64{power(8*blockSize + 63), power(8*blockSize - 1)}

// power is x to the power of n, modulo the polynomial, bit-reversed.
func power(n int) uint64 {
	p := uint64(1) << 63
	for range n {
		p = p>>1 ^ -(p&1)&crc64.ECMA
	}
	return p
}

package crc64

import (
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

// TestSums holds it against the standard library's, at every length around
// the blocks and every alignment, in one piece and in two.
func TestSums(t *testing.T) {
	t.Logf("folding: %v", canFold)
	data := make([]byte, 9*blockSize+16)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	for length := range 9 * blockSize {
		p := data[length%16:][:length]
		want := crc64.Checksum(p, table())
		h := New()
		h.Write(p)
		if got := h.Sum64(); got != want {
			t.Fatalf("%d bytes: %x, want %x", length, got, want)
		}
		h.Reset()
		h.Write(p[:length/3])
		h.Write(p[length/3:])
		if got := h.Sum64(); got != want {
			t.Fatalf("%d bytes in two: %x, want %x", length, got, want)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != fmt.Sprintf("%016x", want) {
			t.Fatalf("%d bytes: %s, want %016x", length, got, want)
		}
	}
}

func FuzzSums(f *testing.F) {
	f.Add(make([]byte, 3*blockSize), 5)
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		h := New()
		cut = max(0, min(cut, len(p)))
		h.Write(p[:cut])
		h.Write(p[cut:])
		if want := crc64.Checksum(p, table()); h.Sum64() != want {
			t.Errorf("%x, want %x", h.Sum64(), want)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	p := make([]byte, 256<<10)
	for name, sum := range map[string]func(){
		"ours":     func() { New().Write(p) },
		"standard": func() { crc64.Checksum(p, table()) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				sum()
			}
		})
	}
}

package transfer_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax/sandbox"
)

// TestWhateverHappens holds the one promise that matters: whatever sequence of
// faults, restarts and damage to what was kept, the final bytes are those of a
// version of the source, or there is no file.
func TestWhateverHappens(t *testing.T) {
	const part, size = 256 << 10, 7*part - 777
	r := newRemote(t, size)
	r.Misbehave(r.file.ID, sandbox.Fault{Changed: true})
	other, err := r.run(t.Context(), transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]bool{r.SHA256(r.file.ID): true, other.SHA256: true}
	fault := rapid.Custom(func(t *rapid.T) sandbox.Fault {
		rarely := func(label string, times int) bool { return rapid.IntRange(1, times).Draw(t, label) == 1 }
		return sandbox.Fault{
			Times:         rapid.IntRange(1, 3).Draw(t, "times"),
			CutAfter:      rapid.SampledFrom([]int64{0, 1, 5000, part, part + 1, 2*part - 1, size / 2, size - 1}).Draw(t, "cut"),
			Status:        rapid.SampledFrom([]int{0, 0, 0, 0, 403, 500, 429}).Draw(t, "status"),
			NoRange:       rarely("no range", 5),
			NoLength:      rarely("no length", 6),
			NoETag:        rarely("no ETag", 6),
			WrongChecksum: rarely("wrong checksum", 8),
			Changed:       rarely("changed", 4),
			Reset:         rarely("reset", 6),
		}
	})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		name := fmt.Sprintf("film-%d.mp4", n)
		for range rapid.IntRange(1, 4).Draw(rt, "runs") {
			r.Misbehave(r.file.ID, rapid.SliceOfN(fault, 0, 6).Draw(rt, "faults")...)
			p, err := r.dir.Part(t.Context(), name, "owner")
			if err != nil {
				rt.Fatal(err)
			}
			got, err := transfer.Run(t.Context(), r.source, p, transfer.Options{
				Backoff: time.Microsecond, PartSize: part, MeasureEvery: time.Millisecond,
				Tries: rapid.IntRange(1, 4).Draw(rt, "tries"), Connections: rapid.IntRange(1, 4).Draw(rt, "connections"),
			})
			p.Close()
			sum, sumErr := r.dir.SHA256(t.Context(), name)
			switch {
			case err == nil && (sumErr != nil || sum != got.SHA256 || !versions[sum]):
				rt.Fatalf("success with %s, and the file is %s, %v", got.SHA256, sum, sumErr)
			case err != nil && sumErr == nil:
				rt.Fatalf("%v, and there is a file", err)
			case err == nil:
				return
			}
			for _, kept := range []string{".part", ".journal"} {
				damage(rt, r.dir.Join("."+name+kept))
			}
		}
	})
}

// damage cuts a file, or alters a byte of it, or leaves it alone.
func damage(t *rapid.T, path string) {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return
	}
	at := rapid.Int64Range(0, info.Size()-1).Draw(t, "where")
	switch rapid.IntRange(0, 5).Draw(t, "damage") {
	case 1:
		err = os.Truncate(path, at)
	case 2:
		var f *os.File
		if f, err = os.OpenFile(path, os.O_RDWR, 0); err == nil {
			_, err = f.WriteAt([]byte{'!'}, at)
			f.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

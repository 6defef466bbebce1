package transfer_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax/sandbox"
)

// TestWhateverHappens holds the one promise that matters: whatever sequence of
// faults and restarts, the final bytes are the source's or there is no file.
func TestWhateverHappens(t *testing.T) {
	const size = 3*part - 777
	r := newRemote(t, size)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		name := fmt.Sprintf("film-%d.mp4", n)
		want := r.SHA256(r.file.ID)
		for range rapid.IntRange(1, 4).Draw(rt, "runs") {
			r.Misbehave(r.file.ID, sandbox.Fault{
				Skip:          rapid.IntRange(0, 2).Draw(rt, "skip"),
				Times:         rapid.IntRange(1, 3).Draw(rt, "times"),
				CutAfter:      rapid.SampledFrom([]int64{0, 1, 5000, part, part + 1, 2*part - 1, size - 1}).Draw(rt, "cut"),
				Status:        rapid.SampledFrom([]int{0, 0, 0, 403, 500, 429}).Draw(rt, "status"),
				NoRange:       rapid.IntRange(0, 4).Draw(rt, "no range") == 0,
				NoLength:      rapid.IntRange(0, 4).Draw(rt, "no length") == 0,
				NoETag:        rapid.IntRange(0, 4).Draw(rt, "no ETag") == 0,
				WrongChecksum: rapid.IntRange(0, 6).Draw(rt, "wrong checksum") == 0,
				Reset:         rapid.IntRange(0, 4).Draw(rt, "reset") == 0,
			})
			p, err := r.dir.Part(name, "owner")
			if err != nil {
				rt.Fatal(err)
			}
			got, err := transfer.Run(t.Context(), r.source, p, transfer.Options{
				Backoff: time.Microsecond, Tries: rapid.IntRange(1, 4).Draw(rt, "tries"), Connections: rapid.IntRange(1, 4).Draw(rt, "connections"),
			})
			p.Close()
			sum, sumErr := r.dir.SHA256(t.Context(), name)
			switch {
			case err == nil && (sumErr != nil || sum != want || got.SHA256 != want):
				rt.Fatalf("success, and the file is %s, %v; want %s", sum, sumErr, want)
			case err != nil && sumErr == nil:
				rt.Fatalf("%v, and there is a file", err)
			case err == nil:
				return
			}
		}
	})
}

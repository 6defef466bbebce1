package transfer_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax/sandbox"
)

// TestRun_onto_a_disk_that_fills: the room for an object of known size is
// taken beforehand, so it is one of unknown size that meets this.
func TestRun_onto_a_disk_that_fills(t *testing.T) {
	const size = 6<<20 + 12345
	for where, room := range map[string]int{"the first byte": 64 << 10, "the middle": size / 2, "the last byte": size - 64<<10} {
		t.Run("at "+where, func(t *testing.T) {
			r := newRemote(t, size)
			mount := t.TempDir()
			if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprintf("size=%d", room)); err != nil {
				t.Skipf("only root can mount a disk: %v", err)
			}
			t.Cleanup(func() { syscall.Unmount(mount, 0) })
			dir, err := storage.NewDir(filepath.Join(mount, "downloads"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dir.Close() })
			r.dir = dir
			r.Misbehave(r.file.ID, sandbox.Fault{NoLength: true})
			if _, err := r.run(t.Context(), transfer.Options{}); !errors.Is(err, storage.ErrFull) {
				t.Errorf("%v, want ErrFull", err)
			}
			if r.saved(t) != "" || len(r.left(t)) > 0 {
				t.Errorf("saved %q, left behind %v", r.saved(t), r.left(t))
			}
		})
	}
}

//go:build linux

package storage_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"minimax-files-mcp/internal/storage"
)

func TestDir_on_a_full_disk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk can be mounted by root only: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(mount, 0) })
	d, err := storage.NewDir(filepath.Join(mount, "downloads"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() }) // before the mount goes
	p, err := d.Part(t.Context(), "clip.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	full, ok := errors.AsType[*storage.FullError](p.Begin(nil, 2<<20, 4<<20))
	if !ok || full.Need != 2<<20 || full.Free <= 0 || full.Free > 1<<20 {
		t.Errorf("%v, want the figures", full)
	}
	if err := p.Begin(nil, -1, 4<<20); err != nil { // of unknown size
		t.Fatal(err)
	}
	if _, err := p.WriteAt(bytes.Repeat([]byte("x"), 2<<20), 0); !errors.Is(err, storage.ErrFull) {
		t.Errorf("%v, want ErrFull", err)
	}
	p.Close()
	if got := entries(t, d); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

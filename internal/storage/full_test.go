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
	f, err := d.Create("clip.mp4")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(bytes.Repeat([]byte("x"), 2<<20))
	if !errors.Is(err, storage.ErrFull) {
		t.Errorf("%v, want ErrFull", err)
	}
	f.Abort()
	if got := entries(t, d); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

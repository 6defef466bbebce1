//go:build linux

package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"minimax-files-mcp/internal/storage"
)

// smallDisk is a directory on a disk of 1 MiB.
func smallDisk(t *testing.T) (mount string, d *storage.Dir) {
	t.Helper()
	mount = t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk can be mounted by root only: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(mount, 0) })
	d, err := storage.NewDir(filepath.Join(mount, "downloads"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() }) // before the mount goes
	return mount, d
}

func TestDir_on_a_full_disk(t *testing.T) {
	_, d := smallDisk(t)
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

// What is held is worth more than room for a new journal.
func TestPart_is_kept_where_the_disk_is_full(t *testing.T) {
	mount, d := smallDisk(t)
	const size, part = 256 << 10, 64 << 10
	p, err := d.Part(t.Context(), "clip.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Begin([]byte("v1"), size, part); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WriteAt(bytes.Repeat([]byte("x"), part), 0); err != nil {
		t.Fatal(err)
	}
	p.Close()
	ballast := filepath.Join(mount, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	if p, err := d.Part(t.Context(), "clip.mp4", "owner"); !errors.Is(err, storage.ErrFull) {
		t.Fatalf("%v, %v, want ErrFull", p, err)
	}
	os.Remove(ballast)
	p, err = d.Part(t.Context(), "clip.mp4", "owner")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, _, held := p.Held(); !held[0] {
		t.Errorf("held: %v", held)
	}
}

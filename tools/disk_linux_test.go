package tools_test

import (
	"strings"
	"syscall"
	"testing"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/minimax/sandbox"
)

// mount makes a disk of these properties the download directory.
func (b *bench) mount(t *testing.T, flags uintptr, options string) {
	t.Helper()
	point := t.TempDir()
	if err := syscall.Mount("tmpfs", point, "tmpfs", flags, options); err != nil {
		t.Skipf("only root can mount a disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(point, 0) })
	dir, err := storage.NewDir(point)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	b.dir, b.deps.Dir = dir, dir
}

func TestDownloadFile_onto_a_disk_that_is(t *testing.T) {
	for name, tt := range map[string]struct {
		flags   uintptr
		options string
		says    []string
	}{
		"full":      {0, "size=1m", []string{"the disk is full", "free space"}},
		"read-only": {syscall.MS_RDONLY, "", []string{"can't be written to", "MINIMAX_MCP_BASE_PATH"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sandbox.Config{Empty: true})
			f := b.sandbox.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 3 << 20})
			b.mount(t, tt.flags, tt.options)
			got := failing(t, connect(t, b), "download_file", `{"file_id":"`+string(f.ID)+`"}`)
			for _, want := range append(tt.says, "Nothing was saved", b.dir.Path()) {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			if names := b.saved(t); len(names) != 0 {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// served is a sandbox with a file, for the program and its peer alike.
func served(b *testing.B, size int64, fault sandbox.Fault) (environ []string, id minimax.ID, url string) {
	b.Helper()
	s := startSandbox(b)
	f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: size})
	s.Misbehave(f.ID, fault)
	c := &minimax.Client{BaseURL: s.URL(), Key: func(context.Context) string { return sandbox.Key }}
	got, err := c.Retrieve(b.Context(), f.ID)
	if err != nil {
		b.Fatal(err)
	}
	return append(against(s), "HOME="+b.TempDir(), "PATH="+os.Getenv("PATH")), f.ID, got.File.DownloadURL
}

// BenchmarkDownload measures the whole program beside curl and aria2, which
// come from the system's packages: hashed and durable on our side.
func BenchmarkDownload(b *testing.B) {
	const throttled = 8 << 20
	for name, bench := range map[string]struct {
		size int64
		rate int64  // bytes per second on each connection; 0 means as fast as can be
		peer string // a shell command; $URL to x in the current directory
		tool string
	}{
		"512MiB/curl_sha256sum_sync":   {512 << 20, 0, `curl -s -o x "$URL" && sha256sum x >/dev/null && sync x`, "curl"},
		"512MiB/curl":                  {512 << 20, 0, `curl -s -o x "$URL"`, "curl"},
		"96MiB_throttled/curl":         {96 << 20, throttled, `curl -s -o x "$URL"`, "curl"},
		"96MiB_throttled/aria2c_x4_s4": {96 << 20, throttled, `aria2c -q -x4 -s4 -k1M -o x "$URL"`, "aria2c"},
	} {
		b.Run(name, func(b *testing.B) {
			if _, err := exec.LookPath(bench.tool); err != nil {
				b.Skipf("%s is not installed", bench.tool)
			}
			environ, id, url := served(b, bench.size, sandbox.Fault{BytesPerSecond: bench.rate})
			dir := b.TempDir()
			run := func(name string, args ...string) {
				if err := os.RemoveAll(filepath.Join(dir, "x")); err != nil {
					b.Fatal(err)
				}
				cmd := exec.Command(name, args...)
				cmd.Dir = dir
				cmd.Env = slices.Concat(environ, []string{"URL=" + url, "MINIMAX_MCP_BASE_PATH=" + filepath.Join(dir, "x")})
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
			besides(b, func() { run(binary, "download", string(id)) }, func() { run("sh", "-c", bench.peer) })
			b.ReportMetric(0, "ns/op")
		})
	}
}

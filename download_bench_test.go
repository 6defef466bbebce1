package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// BenchmarkDownload measures the whole program, which hashes, checks and syncs
// what it saves, beside curl and aria2, which do what their names here say.
// They come from the system's packages.
func BenchmarkDownload(b *testing.B) {
	const throttled = 8 << 20
	for _, bench := range []struct {
		name string
		size int64
		rate int64 // bytes per second on each connection; 0 means as fast as can be
		tls  bool
		peer string // a shell command; $URL to x in the current directory
	}{
		{name: "512MiB/curl_sha256sum_sync", size: 512 << 20, peer: `curl -s -o x "$URL" && sha256sum x >sum && sync x`},
		{name: "512MiB/curl_alone", size: 512 << 20, peer: `curl -s -o x "$URL"`},
		{name: "512MiB_TLS/curl_sha256sum_sync", size: 512 << 20, tls: true, peer: `curl -s --http1.1 -o x "$URL" && sha256sum x >sum && sync x`},
		{name: "96MiB_throttled/curl_alone", size: 96 << 20, rate: throttled, peer: `curl -s -o x "$URL"`},
		{name: "96MiB_throttled/aria2c_x4_s4", size: 96 << 20, rate: throttled, peer: `aria2c -q -x4 -s4 -k1M -o x "$URL"`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for _, tool := range []string{"sh", "curl", "aria2c"} {
				if _, err := exec.LookPath(tool); err != nil {
					b.Skipf("%s is not installed", tool)
				}
			}
			s, environ := serve(b, bench.tls)
			f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: bench.size})
			s.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: bench.rate})
			environ = append(environ, "URL="+downloadURL(b, s, f.ID))
			// run gives a command an empty directory.
			run := func(name string, args ...string) cost {
				dir := b.TempDir() // a new one each time
				defer os.RemoveAll(dir)
				cmd := exec.Command(name, args...)
				cmd.Dir = dir
				cmd.Env = slices.Concat(environ, []string{"MINIMAX_MCP_BASE_PATH=" + dir})
				return spent(b, cmd)
			}
			ours, peer := besides(b,
				func() cost { return run(binary, "download", string(f.ID)) },
				func() cost { return run("sh", "-c", bench.peer) })
			b.ReportMetric(peer.wall.Seconds()/ours.wall.Seconds(), "throughput-x")
			b.ReportMetric(ours.cpu.Seconds()/peer.cpu.Seconds(), "cpu-x")
		})
	}
}

// BenchmarkUpload measures the whole program, which digests what it sends, beside
// curl.
func BenchmarkUpload(b *testing.B) {
	if _, err := exec.LookPath("curl"); err != nil {
		b.Skip("curl is not installed")
	}
	s, environ := serve(b, false)
	dir := b.TempDir()
	writePattern(b, filepath.Join(dir, "film.mp4"), 512<<20)
	run := func(name string, args ...string) cost {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = slices.Concat(environ, []string{"MINIMAX_MCP_UPLOAD_PATH=" + dir})
		c := spent(b, cmd)
		s.Forget() // what was sent takes room
		return c
	}
	ours, peer := besides(b,
		func() cost { return run(binary, "call", "upload_file", "path=film.mp4", "purpose=video_understanding") },
		func() cost {
			return run("curl", "-s", "-f", "-H", "Authorization: Bearer "+sandbox.Key, "-F", "purpose=video_understanding", "-F", "file=@film.mp4", s.URL()+"/v1/files/upload")
		})
	b.ReportMetric(peer.wall.Seconds()/ours.wall.Seconds(), "throughput-x")
	b.ReportMetric(ours.cpu.Seconds()/peer.cpu.Seconds(), "cpu-x")
}

// serve starts a sandbox, and returns the environment in which the program and
// its peers find and trust it.
func serve(b *testing.B, secure bool) (*sandbox.Server, []string) {
	b.Helper()
	s, err := sandbox.Start(sandbox.Config{Empty: true, TLS: secure})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	environ := append(against(s), "HOME="+b.TempDir(), "PATH="+os.Getenv("PATH"))
	if secure {
		trusted := filepath.Join(b.TempDir(), "ca.pem")
		if err := os.WriteFile(trusted, s.Certificate(), 0o600); err != nil {
			b.Fatal(err)
		}
		environ = append(environ, "SSL_CERT_FILE="+trusted, "CURL_CA_BUNDLE="+trusted)
	}
	return s, environ
}

func downloadURL(b *testing.B, s *sandbox.Server, id minimax.ID) string {
	b.Helper()
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.Certificate())
	c := &minimax.Client{
		BaseURL: s.URL(), Key: func(context.Context) string { return sandbox.Key },
		HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}},
	}
	got, err := c.Retrieve(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return got.File.DownloadURL
}

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"minimax-files-mcp/minimax/sandbox"
)

// binary is the real program, built once for all tests here.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "minimax-files-mcp-test-")
	if err != nil {
		panic(err)
	}
	code := 1
	if binary, err = build(dir, "."); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// build compiles a main package into dir.
func build(dir, pkg string) (string, error) {
	out := filepath.Join(dir, "minimax-files-mcp")
	if pkg != "." {
		out = filepath.Join(dir, filepath.Base(pkg))
	}
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	if text, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
	}
	return out, nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("SEED_VIDEO", sandbox.SeedVideo)
			env.Setenv("SEED_VOICE", sandbox.SeedVoice)
			return nil
		},
	})
}

// command runs the binary with an environment of its own.
func command(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	home := t.TempDir()
	cmd.Env = append([]string{"HOME=" + home, "USERPROFILE=" + home, "MINIMAX_LOG_LEVEL=error"}, environ...)
	cmd.Stderr = os.Stderr
	return cmd
}

// against points the binary at a sandbox in this process.
func against(s *sandbox.Server) []string {
	return []string{"MINIMAX_API_HOST=" + s.URL(), "MINIMAX_API_KEY=" + sandbox.Key}
}

func startSandbox(t testing.TB) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Start(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}` + "\n" +
	`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"

func toolCall(id int, tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"progressToken":"p"}}}`+"\n", id, tool, arguments)
}

// answers checks that every line is JSON-RPC and returns the results by id.
func answers(t *testing.T, output []byte) map[string]json.RawMessage {
	t.Helper()
	results := map[string]json.RawMessage{}
	for line := range bytes.Lines(output) {
		var msg struct {
			JSONRPC string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Result  json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(line, &msg); err != nil || msg.JSONRPC != "2.0" {
			t.Errorf("a line on standard output that is not JSON-RPC: %q", line)
		}
		if msg.ID != nil {
			results[string(msg.ID)] = msg.Result
		}
	}
	return results
}

// TestPipe is `printf … | minimax-files-mcp`: no run may lose an answer.
func TestPipe(t *testing.T) {
	s := startSandbox(t)
	runs := 1000
	if testing.Short() {
		runs = 20
	}
	for range runs {
		cmd := command(t, against(s))
		cmd.Stdin = strings.NewReader(initialize + toolCall(1, "retrieve_file", `{"file_id":"`+sandbox.SeedVideo+`"}`))
		output, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got := answers(t, output)
		if len(got) != 2 || !bytes.Contains(got["1"], []byte(sandbox.SeedVideo)) {
			t.Fatalf("answers: %s", output)
		}
	}
}

func TestPipe_waits_for_a_download(t *testing.T) {
	s := startSandbox(t)
	f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 2 << 20})
	s.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: 2 << 20})
	cmd := command(t, against(s))
	cmd.Stdin = strings.NewReader(initialize + toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, f.ID)))
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := answers(t, output); !bytes.Contains(got["1"], []byte(s.SHA256(f.ID))) {
		t.Errorf("%s", output)
	}
	if last := output[bytes.LastIndexByte(bytes.TrimSpace(output), '\n')+1:]; !bytes.Contains(last, []byte(`"id":1`)) || bytes.Count(output, []byte("notifications/progress")) == 0 {
		t.Errorf("progress is missing, or came after the result: %s", output)
	}
}

func TestDownload_says_what_could_not_be_verified(t *testing.T) {
	s := startSandbox(t)
	s.Misbehave(sandbox.SeedVideo, sandbox.Fault{NoLength: true, NoChecksum: true, NoETag: true})
	output, err := command(t, against(s), "download", sandbox.SeedVideo).Output()
	if err != nil || !bytes.Contains(output, []byte("unverified: the host gave nothing to check it by")) {
		t.Errorf("%v: %s", err, output)
	}
}

// A process is the binary with its pipes held open.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &process{cmd, in, bufio.NewReader(out)}
}

// line reads the next line that has part in it.
func (p *process) line(t *testing.T, part string) string {
	t.Helper()
	for {
		text, err := p.out.ReadString('\n')
		if err != nil {
			t.Fatalf("no %s before %v", part, err)
		}
		if strings.Contains(text, part) {
			return text
		}
	}
}

// slowDownload starts one that takes an hour.
func slowDownload(t *testing.T) (p *process, dir string) {
	t.Helper()
	s := startSandbox(t)
	f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 3600 << 20})
	s.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: 1 << 20, NoETag: true, NoChecksum: true})
	dir = t.TempDir()
	p = start(t, command(t, append(against(s), "MINIMAX_MCP_BASE_PATH="+dir)))
	io.WriteString(p.in, initialize+toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, f.ID)))
	p.line(t, "notifications/progress")
	return p, dir
}

func finalFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// writePattern makes a large file whose parts differ.
func writePattern(t testing.TB, path string, size int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for n := 0; n < size; n += len(block) {
		for i := range block {
			block[i] = byte(n>>20 + i*7)
		}
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	bare, err := build(b.TempDir(), "./testdata/bare")
	if err != nil {
		b.Fatal(err)
	}
	request := initialize + `{"jsonrpc":"2.0","id":1,"method":"tools/list"}` + "\n"
	// listed starts a server and returns when tools/list is answered.
	listed := func(path string) cost {
		started := time.Now()
		cmd := exec.Command(path)
		cmd.Env = []string{"HOME=" + b.TempDir(), "MINIMAX_LOG_LEVEL=error", "MINIMAX_API_KEY=x"}
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		io.WriteString(in, request)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			if bytes.Contains(scan.Bytes(), []byte(`"tools":[`)) {
				break
			}
		}
		took := time.Since(started)
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		return cost{wall: took}
	}
	ours, peer := besides(b, func() cost { return listed(binary) }, func() cost { return listed(bare) })
	b.ReportMetric(ours.wall.Seconds()/peer.wall.Seconds(), "ours/peer")
}

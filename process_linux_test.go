package main_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"minimax-files-mcp/minimax"
	"minimax-files-mcp/minimax/sandbox"
)

// peak is the most memory a process has had, in MiB.
func peak(t *testing.T, pid int) int { return memory(t, pid, "VmHWM:") >> 10 }

// resident is the memory a process has now, in kB.
func resident(t *testing.T, pid int) int { return memory(t, pid, "VmRSS:") }

func memory(t *testing.T, pid int, what string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kB, ok := strings.CutPrefix(line, what); ok {
			n, err := strconv.Atoi(strings.Fields(kB)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in %s", what, status)
	return 0
}

// allowance is what any work may take above an idle server, in MiB.
const allowance = 25

func TestMemory_stays_flat_while_files_stream(t *testing.T) {
	const MiB = 1 << 20
	for name, tt := range map[string]struct {
		size, rate int64 // bytes, bytes per second on each connection; 0 means as fast as can be
		files      int
	}{
		"64 MiB":  {size: 64 * MiB, files: 1},
		"512 MiB": {size: 512 * MiB, files: 1},
		"4 GiB":   {size: 4096 * MiB, files: 1},
		"four at a time, over eight connections each": {size: 48 * MiB, rate: 3 * MiB, files: 4},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.size > 64*MiB && testing.Short() || tt.size > 512*MiB && os.Getenv("CI") == "" {
				t.Skip(name + " are written; the gate does it")
			}
			s := startSandbox(t)
			p := start(t, command(t, append(against(s), "MINIMAX_MCP_BASE_PATH="+t.TempDir())))
			io.WriteString(p.in, initialize)
			p.line(t, `"id":0`)
			idle := peak(t, p.Process.Pid)
			for i := range tt.files {
				f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: tt.size})
				s.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: tt.rate})
				io.WriteString(p.in, toolCall(i+1, "download_file", fmt.Sprintf(`{"file_id":%q,"wait_seconds":600}`, f.ID)))
			}
			for range tt.files {
				if got := p.line(t, `"result":`); !strings.Contains(got, `"status":"done"`) {
					t.Fatal(got)
				}
			}
			if tt.rate > 0 && s.Count("storage") < 6*tt.files {
				t.Errorf("%d requests for the bytes: it did not use many connections", s.Count("storage"))
			}
			if busy := peak(t, p.Process.Pid); busy-idle > allowance {
				t.Errorf("%d MiB at the most, %d MiB idle", busy, idle)
			} else {
				t.Logf("%d MiB at the most, %d MiB idle", busy, idle)
			}
		})
	}
}

func TestMemory_stays_flat_while_a_file_is_sent(t *testing.T) {
	if testing.Short() {
		t.Skip("512 MiB are written")
	}
	const size = 512 << 20
	s, dir := startSandbox(t), t.TempDir()
	writePattern(t, filepath.Join(dir, "film.mp4"), size)
	p := start(t, command(t, append(against(s), "MINIMAX_MCP_UPLOAD_PATH="+dir)))
	io.WriteString(p.in, initialize)
	p.line(t, `"id":0`)
	idle := peak(t, p.Process.Pid)
	io.WriteString(p.in, toolCall(1, "upload_file", `{"path":"film.mp4","purpose":"video_understanding"}`))
	got := p.line(t, `"id":1`)
	if busy := peak(t, p.Process.Pid); busy-idle > allowance {
		t.Errorf("%d MiB at the most, %d MiB idle", busy, idle)
	} else {
		t.Logf("%d MiB at the most, %d MiB idle", busy, idle)
	}
	var answer struct {
		Result struct {
			StructuredContent struct {
				File struct {
					FileID minimax.ID `json:"file_id"`
				}
				SHA256 string
			}
		}
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatal(err)
	}
	sent := answer.Result.StructuredContent
	if sum := s.SHA256(sent.File.FileID); sum == "" || sum != sent.SHA256 || s.Count("upload") != 1 {
		t.Errorf("the sandbox got %s in %d requests: %s", sum, s.Count("upload"), got)
	}
	for _, req := range s.Requests() {
		if req.Endpoint == "upload" && req.Length <= size {
			t.Errorf("the request's length is %d", req.Length)
		}
	}
}

func TestMemory_stays_flat_while_a_line_of_300_MB_arrives(t *testing.T) {
	p := start(t, command(t, nil, "--sandbox"))
	io.WriteString(p.in, initialize)
	p.line(t, `"id":0`)
	idle := peak(t, p.Process.Pid)
	go func() {
		io.WriteString(p.in, `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"`)
		chunk := strings.Repeat("x", 1<<20)
		for range 300 {
			io.WriteString(p.in, chunk)
		}
		io.WriteString(p.in, "\"}}\n"+`{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n")
	}()
	p.line(t, "was refused")
	p.line(t, `"id":2`)
	if busy := peak(t, p.Process.Pid); busy-idle > allowance {
		t.Errorf("%d MiB at the most, %d MiB idle", busy, idle)
	} else {
		t.Logf("%d MiB at the most, %d MiB idle", busy, idle)
	}
}

func TestMemory_stays_flat_over_20000_files(t *testing.T) {
	s := startSandbox(t)
	for i := range 20_000 {
		s.Add(sandbox.NewFile{Filename: fmt.Sprintf("voice sample %d.mp3", i), Purpose: "voice_clone", Content: []byte{}})
	}
	p := start(t, command(t, against(s)))
	io.WriteString(p.in, initialize)
	p.line(t, `"id":0`)
	idle := peak(t, p.Process.Pid)
	for i := range 5 {
		io.WriteString(p.in, toolCall(i+1, "list_files", `{"limit":100}`))
		p.line(t, fmt.Sprintf(`"id":%d`, i+1))
	}
	if busy := peak(t, p.Process.Pid); busy-idle > allowance {
		t.Errorf("%d MiB at the most, %d MiB idle", busy, idle)
	} else {
		t.Logf("%d MiB at the most, %d MiB idle", busy, idle)
	}
}

func TestSignalsEndItCleanly(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			p, dir := slowDownload(t)
			if err := p.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(p.out)
			if got := answers(t, rest); !strings.Contains(string(got["1"]), "cancelled") {
				t.Errorf("the running call was answered %s", rest)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("%v, want exit status 0", err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
				t.Errorf("left behind: %v, %v", files, err)
			}
		})
	}
}

// TestKilled kills a download with SIGKILL at random instants, and calls again
// until it is there. Each kill costs at most the part that each connection had
// under way.
func TestKilled(t *testing.T) {
	const (
		part        = 4 << 20
		size        = 96 << 20
		rate        = 40 << 20
		connections = 2
		inFlight    = 1 << 20 // sent on a connection, and not received
	)
	s := startSandbox(t)
	f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: size})
	s.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: rate})
	dir := t.TempDir()
	environ := append(against(s), "MINIMAX_MCP_BASE_PATH="+dir, fmt.Sprintf("MINIMAX_MAX_CONNECTIONS=%d", connections))
	kills := 50
	if testing.Short() {
		kills = 5
	}
	final := filepath.Join(dir, "output_aigc-"+string(f.ID)+".mp4")
	// held is how many bytes the journal vouches for.
	held := func() (n int64) {
		text, _ := os.ReadFile(filepath.Join(dir, "."+filepath.Base(final)+".journal"))
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `{"part":`) && strings.HasSuffix(line, "}\n") {
				n += part
			}
		}
		return n
	}
	resumed := 0
	for range kills {
		before, sent := held(), s.Sent(f.ID)
		p := start(t, command(t, environ))
		io.WriteString(p.in, initialize+toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, f.ID)))
		p.line(t, `"id":0`)
		time.Sleep(rand.N(400 * time.Millisecond)) // the instant is the point of this test
		p.Process.Kill()
		p.Wait()
		if names := finalFiles(t, dir); len(names) > 0 {
			if got := fileSHA256(t, final); got != s.SHA256(f.ID) {
				t.Fatalf("under the final name: %s", got)
			}
			if err := os.Remove(final); err != nil { // it was there in time; once more
				t.Fatal(err)
			}
			continue
		}
		if before > 0 {
			resumed++
		}
		if lost := s.Sent(f.ID) - sent - (held() - before); lost > connections*(part+inFlight) {
			t.Errorf("a kill cost %d bytes, and %d connections have parts of %d", lost, connections, part)
		}
	}
	if resumed < kills/4 && !testing.Short() {
		t.Errorf("only %d of %d kills met a download that had gone on from an earlier one", resumed, kills)
	}
	s.Misbehave(f.ID)
	cmd := command(t, environ)
	cmd.Stdin = strings.NewReader(initialize + toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, f.ID)))
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := answers(t, output); !strings.Contains(string(got["1"]), s.SHA256(f.ID)) || fileSHA256(t, final) != s.SHA256(f.ID) {
		t.Errorf("%s", output)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func fileSHA256(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// TestVanishedParent kills the process that started the server, while a
// download runs, and waits for the server to go too.
func TestVanishedParent(t *testing.T) {
	s := startSandbox(t)
	f := s.Add(sandbox.NewFile{Filename: "output_aigc.mp4", Purpose: "video_generation", Size: 3600 << 20})
	s.Misbehave(f.ID, sandbox.Fault{BytesPerSecond: 1 << 20, NoETag: true, NoChecksum: true})
	dir := t.TempDir()
	// cat holds the pipes as a client would; the shell is the parent that vanishes.
	script := fmt.Sprintf(`(printf '%%s' "$INPUT"; sleep 600) | %s | cat >/dev/null & echo $!; wait`, binary)
	parent := exec.Command("setsid", "sh", "-c", script)
	parent.Env = append(against(s), "PATH="+os.Getenv("PATH"), "HOME="+dir, "MINIMAX_LOG_LEVEL=error", "MINIMAX_MCP_BASE_PATH="+dir,
		"INPUT="+initialize+strings.Replace(toolCall(1, "download_file", fmt.Sprintf(`{"file_id":%q}`, f.ID)), `,"_meta":{"progressToken":"p"}`, "", 1))
	if err := parent.Start(); err != nil {
		t.Skipf("setsid and sh are needed: %v", err)
	}
	waitFor(t, "a temporary file", func() bool { parts, _ := filepath.Glob(filepath.Join(dir, ".*.part")); return len(parts) == 1 })
	server := serverOf(t, dir)
	// Everything but the server.
	for _, pid := range group(t, parent.Process.Pid) {
		if pid != server {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	parent.Wait()
	waitFor(t, "the server's end", func() bool { return syscall.Kill(server, 0) != nil || isZombie(server) })
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestUnwritableDirectory(t *testing.T) {
	dir, s := t.TempDir(), startSandbox(t)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, append(against(s), "MINIMAX_MCP_BASE_PATH="+dir))
	if os.Geteuid() == 0 { // whom permissions do not bind
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		// The way there, made for this test, is not for others to walk.
		for parent := filepath.Dir(dir); strings.HasPrefix(parent, os.TempDir()) && parent != os.TempDir(); parent = filepath.Dir(parent) {
			if err := os.Chmod(parent, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(binary), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin = strings.NewReader(initialize + toolCall(1, "download_file", `{"file_id":"`+sandbox.SeedVideo+`"}`))
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answers(t, output)["1"]); !strings.Contains(got, "can't be written to") || !strings.Contains(got, "MINIMAX_MCP_BASE_PATH") {
		t.Errorf("%s", output)
	}
}

func waitFor(t *testing.T, what string, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no sign of %s", what)
		}
	}
}

// processes calls f with the fields of every process's stat and its command.
func processes(f func(pid int, stat []string, exe string)) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		_, after, _ := strings.Cut(string(text), ") ")
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		f(pid, strings.Fields(after), exe)
	}
}

// group is the processes of a session.
func group(t *testing.T, session int) (pids []int) {
	t.Helper()
	processes(func(pid int, stat []string, _ string) {
		if stat[3] == strconv.Itoa(session) {
			pids = append(pids, pid)
		}
	})
	return pids
}

// serverOf finds the server that writes to dir.
func serverOf(t *testing.T, dir string) (found int) {
	t.Helper()
	processes(func(pid int, _ []string, exe string) {
		environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if exe == binary && strings.Contains(string(environ), dir) {
			found = pid
		}
	})
	if found == 0 {
		t.Fatal("the server does not run")
	}
	return found
}

func isZombie(pid int) bool {
	zombie := false
	processes(func(p int, stat []string, _ string) { zombie = zombie || p == pid && stat[0] == "Z" })
	return zombie
}

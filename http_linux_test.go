package main_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestSecurity_idle_connections(t *testing.T) {
	idle := 10_000
	if testing.Short() {
		idle = 500
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(idle)+500 {
		t.Skipf("%d files may be open, and %d connections are wanted: %v", files.Cur, idle, err)
	}
	s := serveHTTP(t, against(startSandbox(t))...)
	s.post(t, toolCall(1, "list_files", "{}"))
	before := peak(t, s.Process.Pid)
	for range idle {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if got := s.post(t, toolCall(1, "list_files", "{}")); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if grown := peak(t, s.Process.Pid) - before; grown > idle/20 { // 50 kB each
		t.Errorf("%d connections take %d MiB", idle, grown)
	} else {
		t.Logf("%d connections take %d MiB", idle, grown)
	}
}
